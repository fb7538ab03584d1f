import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type { RepriceRequest } from "../../gen/tally/v1/operations_pb.js";
import { type FieldViolation, violation } from "../errors.js";
import type { RepriceParameters } from "../usage/reprice/reprice-store.js";

/** What is to be priced anew. */
export function fromProtoReprice(request: RepriceRequest): RepriceParameters {
  return {
    startUs: toMicroseconds(request.startTime!),
    endUs: toMicroseconds(request.endTime!),
    model: request.model,
    provider: request.provider,
    userId: request.userId,
    apiKeyId: request.apiKeyId,
    onlyUnpriced: request.onlyUnpriced,
    useCurrentRateMultipliers: request.useCurrentRateMultipliers,
  };
}

/** The rules that a repricing breaks, beside those of the contract. */
export function repriceViolations(request: RepriceRequest): FieldViolation[] {
  const violations: FieldViolation[] = [];
  const { requestId, dryRun, startTime, endTime } = request;
  if (requestId === "" && !dryRun) {
    violations.push(violation("request_id", requestId, "is required unless dry_run is set"));
  }
  if (startTime && endTime && toMicroseconds(endTime) <= toMicroseconds(startTime)) {
    const { seconds } = endTime;
    violations.push(violation("end_time", `${seconds}`, "must be later than start_time"));
  }
  return violations;
}

function toMicroseconds({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1_000_000 + Math.trunc(nanos / 1_000);
}
