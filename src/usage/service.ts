import { UsageView } from "../../gen/tally/v1/usage_pb.js";
import {
  type BatchRecordUsageResult,
  type RecordUsageRequest,
  type RecordUsageResponse,
  type StreamRecordUsageRequest,
  type StreamRecordUsageRequestSchema,
  UsageRecorder,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import type { ProviderKey } from "../catalog/types.js";
import { type FieldViolation, invalidFields } from "../errors.js";
import type { PriceVersion } from "../pricing/price.js";
import type { Reservation } from "../quota/reservation.js";
import type { CallContext } from "../server/context.js";
import {
  implement,
  type ServiceHandlers,
  type ServiceImplementation,
  type StreamedRequest,
} from "../server/handler.js";
import { acknowledge, type StreamItem } from "./acknowledge.js";
import type { ActiveRequests } from "./active-requests.js";
import { toProtoActiveStatus } from "./active-to-proto.js";
import type { ActiveWatch } from "./active-watch.js";
import { recordNotFound } from "./conflict.js";
import {
  conflictPolicyOf,
  fromProtoStart,
  fromProtoUsageInput,
  type SubmissionDefaults,
} from "./from-proto.js";
import { fromProtoListRequest, fromProtoStatusesRequest, pageSizeOf } from "./list-from-proto.js";
import type { ListStore } from "./list-store.js";
import { listUsage } from "./list-usage.js";
import type { RecordRequest, RecordResult } from "./record-request.js";
import type { Recorder } from "./recorder.js";
import { usageViolations } from "./rules.js";
import { updateStatus } from "./status-update.js";
import { createStreamShares } from "./stream-share.js";
import {
  toProtoAcknowledgement,
  toProtoPayload,
  toProtoRecordOutcome,
  toProtoRecordResponse,
  toProtoResult,
  toProtoUsageRecord,
} from "./to-proto.js";
import { fromProtoStatusUpdate } from "./update-from-proto.js";
import { PENDING_PROVIDER, type UsagePayload, type UsageRecord } from "./usage-record.js";
import type { UsageStore } from "./usage-store.js";

/** What the service is made of. */
export interface UsageServiceParts extends SubmissionDefaults {
  readonly recorder: Recorder;
  readonly store: Pick<UsageStore, "read" | "readPayload">;
  readonly listStore: ListStore;
  readonly activeRequests: ActiveRequests;
  readonly activeWatch: ActiveWatch;
  readonly providerKey: (providerKeyId: string) => ProviderKey | undefined;
  /**
   * @param field - where the id stands in the request, for the error
   * @throws DomainError RESERVATION_INVALID
   */
  readonly decodeReservation: (id: string, field: string) => Reservation;
  /** What is stored of headers and bodies by the settings of now. */
  readonly selectPayload: (payload: UsagePayload) => UsagePayload | undefined;
  /** Told of every STREAMING record that does not say who serves it. */
  readonly onNamelessStream: (record: UsageRecord) => void;
  readonly priceVersion: (version: bigint) => Promise<PriceVersion | undefined>;
  /**
   * The contract's rules that one request of a batch breaks, and the further ones given, with each
   * field under `path`. A call with one request is checked by the transport.
   */
  readonly itemViolations: (
    request: RecordUsageRequest,
    path: string,
    further: readonly FieldViolation[],
  ) => FieldViolation[];
}

/** Makes the UsageRecorder service. */
export function createUsageService(
  parts: UsageServiceParts,
): ServiceImplementation<typeof UsageRecorder> {
  const shares = createStreamShares();

  async function record(
    request: RecordUsageRequest,
    context: CallContext,
    prefix = "",
  ): Promise<RecordUsageResponse> {
    const result = await submitRequest(request, context, prefix);
    return toProtoRecordResponse(result, await priceOf(result.record));
  }

  /** Submits at once, so that those that come one after the other are judged in this order. */
  async function submitRequest(
    request: RecordUsageRequest,
    context: CallContext,
    prefix: string,
  ): Promise<RecordResult> {
    const submission = fromProtoUsageInput(request.usage!, parts);
    const reservation = reservationOf(request, prefix);
    const conflictPolicy = conflictPolicyOf(request);
    return submit({ submission, reservation, conflictPolicy }, context);
  }

  async function submit(
    request: Omit<RecordRequest, "payload" | "throwIfOver">,
    context: CallContext,
  ): Promise<RecordResult> {
    const { payload } = request.submission;
    const result = await parts.recorder.record({
      ...request,
      payload: payload && parts.selectPayload(payload),
      throwIfOver: () => context.throwIfOver(),
    });
    lookAtStream(result);
    return result;
  }

  function lookAtStream({ record }: RecordResult): void {
    const isNamed = record.provider !== "" && record.provider !== PENDING_PROVIDER;
    if (record.status === "STREAMING" && !isNamed) parts.onNamelessStream(record);
  }

  function reservationOf(
    { reservationId }: { readonly reservationId: string },
    prefix: string,
  ): Reservation | undefined {
    if (reservationId === "") return undefined;
    return parts.decodeReservation(reservationId, `${prefix}reservation_id`);
  }

  async function toProto(record: UsageRecord) {
    return toProtoUsageRecord(record, await priceOf(record));
  }

  async function recordItem(
    request: RecordUsageRequest,
    index: number,
    context: CallContext,
  ): Promise<BatchRecordUsageResult> {
    try {
      const path = `requests[${index}]`;
      const prefix = `${path}.`;
      const further = furtherViolations(request, prefix);
      const violations = parts.itemViolations(request, path, further);
      if (violations.length > 0) throw invalidFields(violations);
      return toProtoResult({ case: "response", value: await record(request, context, prefix) });
    } catch (error) {
      return toProtoResult({ case: "error", value: context.toStatus(error) });
    }
  }

  function furtherViolations(
    { usage }: Pick<RecordUsageRequest, "usage">,
    prefix: string,
  ): FieldViolation[] {
    return usage ? usageViolations(usage, `${prefix}usage`, parts.nowUs()) : [];
  }

  async function priceOf({ priceVersion }: { priceVersion: bigint | undefined }) {
    return priceVersion === undefined ? undefined : await parts.priceVersion(priceVersion);
  }

  async function recordStreamed(
    { request, omitRecord }: StreamRecordUsageRequest,
    context: CallContext,
  ): Promise<RecordUsageResponse> {
    if (!omitRecord) return record(request!, context, "request.");
    return toProtoRecordOutcome(await submitRequest(request!, context, "request."));
  }

  const handlers: ServiceHandlers<typeof UsageRecorder> = {
    recordUsage: (request, context) => record(request, context),
    async batchRecordUsage({ requests }, context) {
      const results = requests.map((request, index) => recordItem(request, index, context));
      return { results: await Promise.all(results) };
    },
    async *streamRecordUsage(requests, context) {
      const { limits, leave } = shares.join();
      try {
        const answers = acknowledge(
          toItems(requests.judged()),
          (request) => recordStreamed(request, context),
          { ...limits, admission: () => parts.recorder.awaitRoom() },
        );
        for await (const answer of answers) {
          yield toProtoAcknowledgement(answer, (error) => context.toStatus(error));
        }
      } finally {
        leave();
      }
    },
    async startUsage(request, context) {
      const submission = fromProtoStart(request.usage!, parts);
      const reservation = reservationOf(request, "");
      const { record } = await submit(
        { submission, reservation, conflictPolicy: "START" },
        context,
      );
      return { record: await toProto(record) };
    },
    async updateUsageStatus(request, context) {
      const update = fromProtoStatusUpdate(request, reservationOf(request, ""));
      const result = await parts.recorder.amend({
        requestId: request.requestId,
        amend: (existing) => updateStatus(existing, update),
        throwIfOver: () => context.throwIfOver(),
      });
      lookAtStream(result);
      return { record: await toProto(result.record) };
    },
    async getUsage({ requestId, view }, { identity: { boundUserId } }) {
      const [found] = await parts.store.read([requestId]);
      // To a caller that is bound to one user, others' records do not exist.
      const isHidden = (boundUserId ?? found?.userId) !== found?.userId;
      if (!found || isHidden) throw recordNotFound(requestId);
      const record = await toProto(found);
      const payload =
        view === UsageView.FULL ? await parts.store.readPayload(requestId) : undefined;
      if (payload) record.payload = toProtoPayload(payload);
      return { record };
    },
    async listUsage(request) {
      const query = fromProtoListRequest(request);
      const { records, nextPageToken } = await listUsage(parts.listStore, query, parts.nowUs());
      return { records: await Promise.all(records.map(toProto)), nextPageToken };
    },
    async listActiveRequests(request) {
      const records = await parts.activeRequests.list(request.userId, pageSizeOf(request));
      return { records: await Promise.all(records.map(toProto)) };
    },
    async getActiveRequestStatuses(request) {
      const records = await parts.activeRequests.statuses(fromProtoStatusesRequest(request));
      const details = request.includeProviderDetails ? parts.providerKey : undefined;
      return { statuses: records.map((record) => toProtoActiveStatus(record, details)) };
    },
    async *watchActiveRequests({ userId, includeProviderDetails }, context) {
      const details = includeProviderDetails ? parts.providerKey : undefined;
      for await (const told of parts.activeWatch.watch(userId, context.signal)) {
        // The call may outlive what its caller is allowed.
        context.identify();
        const statuses = told.records.map((record) => toProtoActiveStatus(record, details));
        yield { snapshot: told.isSnapshot, statuses };
      }
    },
  };
  return implement(UsageRecorder, handlers, {
    recordUsage: (request) => furtherViolations(request, ""),
    startUsage: (request) => furtherViolations(request, ""),
    streamRecordUsage: ({ request }) => (request ? furtherViolations(request, "request.") : []),
  });
}

async function* toItems(
  requests: AsyncIterable<StreamedRequest<typeof StreamRecordUsageRequestSchema>>,
): AsyncGenerator<StreamItem<StreamRecordUsageRequest>> {
  for await (const { message, sizeBytes, error } of requests) {
    yield { sequence: message.sequence, request: message, sizeBytes, error };
  }
}
