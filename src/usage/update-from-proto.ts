import type { UpdateUsageStatusRequest } from "../../gen/tally/v1/usage_recorder_pb.js";
import type { Reservation } from "../quota/reservation.js";
import { fromProtoStatus } from "./from-proto.js";
import type { StatusUpdate } from "./status-update.js";

/** Reads a valid update. */
export function fromProtoStatusUpdate(
  request: UpdateUsageStatusRequest,
  reservation: Reservation | undefined,
): StatusUpdate {
  return {
    // The contract's rules let no update without a status through.
    status: fromProtoStatus(request.status) ?? "PENDING",
    provider: request.provider,
    targetModel: request.targetModel,
    providerId: request.providerId,
    providerEndpointId: request.providerEndpointId,
    providerApiKeyId: request.providerApiKeyId,
    errorMessage: request.errorMessage,
    statusCode: request.statusCode,
    firstByteTimeMs: optionalNumber(request.firstByteTimeMs),
    responseTimeMs: optionalNumber(request.responseTimeMs),
    outputTokensSoFar: optionalNumber(request.outputTokensSoFar),
    reservation,
  };
}

function optionalNumber(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
