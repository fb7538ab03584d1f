import type { MessageInitShape } from "@bufbuild/protobuf";
import { UsageView } from "../../gen/tally/v1/usage_pb.js";
import {
  type BatchRecordUsageResultSchema,
  type RecordUsageRequest,
  type RecordUsageResponse,
  UsageRecorder,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import { DomainError, type FieldViolation, invalidFields } from "../errors.js";
import type { PriceVersion } from "../pricing/price.js";
import type { Reservation } from "../quota/reservation.js";
import type { CallContext } from "../server/context.js";
import { implement, type ServiceImplementation } from "../server/handler.js";
import { conflictPolicyOf, fromProtoUsageInput, type SubmissionDefaults } from "./from-proto.js";
import type { Recorder } from "./recorder.js";
import { usageViolations } from "./rules.js";
import { toProtoPayload, toProtoRecordResponse, toProtoUsageRecord } from "./to-proto.js";
import type { UsagePayload } from "./usage-record.js";
import type { UsageStore } from "./usage-store.js";

/** What the service is made of. */
export interface UsageServiceParts extends SubmissionDefaults {
  readonly recorder: Recorder;
  readonly store: Pick<UsageStore, "read" | "readPayload">;
  /** @throws InvalidReservationIdError */
  readonly decodeReservation: (id: string) => Reservation;
  /** What is stored of headers and bodies by the settings of now. */
  readonly selectPayload: (payload: UsagePayload) => UsagePayload | undefined;
  readonly priceVersion: (version: bigint) => Promise<PriceVersion | undefined>;
  /** Every rule that one request of a batch breaks; the transport checks calls with one request. */
  readonly validateItem: (request: RecordUsageRequest, path: string) => FieldViolation[];
}

/** The rules of one request beyond those of the contract; "" or "requests[3]." before its fields. */
export function recordUsageViolations(
  request: RecordUsageRequest,
  nowUs: number,
  prefix = "",
): FieldViolation[] {
  return request.usage ? usageViolations(request.usage, `${prefix}usage`, nowUs) : [];
}

/** Makes the UsageRecorder service. */
export function createUsageService(
  parts: UsageServiceParts,
): ServiceImplementation<typeof UsageRecorder> {
  async function record(
    request: RecordUsageRequest,
    context: CallContext,
  ): Promise<RecordUsageResponse> {
    const submission = fromProtoUsageInput(request.usage!, parts);
    const result = await parts.recorder.record({
      submission,
      payload: submission.payload && parts.selectPayload(submission.payload),
      reservation: reservationOf(request),
      conflictPolicy: conflictPolicyOf(request),
      throwIfOver: () => context.throwIfOver(),
    });
    return toProtoRecordResponse(result, await priceOf(result.record));
  }

  function reservationOf({ reservationId }: RecordUsageRequest): Reservation | undefined {
    return reservationId === "" ? undefined : parts.decodeReservation(reservationId);
  }

  async function recordItem(
    request: RecordUsageRequest,
    index: number,
    context: CallContext,
  ): Promise<MessageInitShape<typeof BatchRecordUsageResultSchema>> {
    try {
      const violations = parts.validateItem(request, `requests[${index}]`);
      if (violations.length > 0) throw invalidFields(violations);
      return { result: { case: "response", value: await record(request, context) } };
    } catch (error) {
      return { result: { case: "error", value: context.toStatus(error) } };
    }
  }

  async function priceOf({ priceVersion }: { priceVersion: bigint | undefined }) {
    return priceVersion === undefined ? undefined : await parts.priceVersion(priceVersion);
  }

  return implement(UsageRecorder, {
    recordUsage: record,
    async batchRecordUsage({ requests }, context) {
      const results = requests.map((request, index) => recordItem(request, index, context));
      return { results: await Promise.all(results) };
    },
    async getUsage({ requestId, view }) {
      const [found] = await parts.store.read([requestId]);
      if (!found) throw notFound(requestId);
      const payload =
        view === UsageView.FULL ? await parts.store.readPayload(requestId) : undefined;
      return {
        record: {
          ...toProtoUsageRecord(found, await priceOf(found)),
          ...(payload && { payload: toProtoPayload(payload) }),
        },
      };
    },
  });
}

function notFound(requestId: string): DomainError {
  return new DomainError(
    "USAGE_RECORD_NOT_FOUND",
    `request_id: no usage record has this id (was "${requestId}")`,
    { resource: { type: "usage_record", name: requestId } },
  );
}
