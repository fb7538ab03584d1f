import type { CheckQuotaResponse, QuotaReason } from "../../gen/tally/v1/quota_checker_pb.js";
import type { UsageRecord } from "../../gen/tally/v1/usage_pb.js";
import { RecordOutcome } from "../../gen/tally/v1/usage_recorder_pb.js";
import { RpcError } from "../client/grpc-client.js";
import type { CallTimings } from "./call-timings.js";
import type { TallyClients } from "./clients.js";
import { toCheckRequest, toRecordRequest } from "./messages.js";
import type { PlannedRequest } from "./planned-request.js";
import type { Retrier } from "./retry.js";

/** How requests are sent. */
export interface SendOptions {
  readonly clients: TallyClients;
  readonly retrier: Retrier;
  readonly timings: CallTimings;
  /** Whether checks hold the estimate until the record settles it. */
  readonly reserve: boolean;
  /** Whether a denied request is recorded all the same, since a trace tells what was spent. */
  readonly recordDenied: boolean;
  /** When a planned request arrived, milliseconds since the epoch. */
  readonly createTimeMs: (request: PlannedRequest) => number;
  /** Ends the waiting between two attempts of a call. */
  readonly signal: AbortSignal;
}

/** What became of one request. */
export interface SentRequest {
  readonly request: PlannedRequest;
  /** Why the check denied it; undefined: it was allowed. */
  readonly deniedFor?: QuotaReason;
  /** Whether the check warned of a SOFT limit. */
  readonly isWarned?: boolean;
  /** What RecordUsage answered; undefined when nothing was to be recorded. */
  readonly recorded?: { readonly outcome: RecordOutcome; readonly record: UsageRecord };
  /** Why it could not be checked or recorded. */
  readonly error?: RpcError;
}

/**
 * Plays the gateway for one request: checks and reserves, "sends" it upstream, records what it
 * used. A denied or abandoned request is not sent; the reservation of the latter is released.
 *
 * @returns also when the server refuses the request, with the error
 * @throws ServerGoneError; the signal's reason
 */
export async function sendRequest(
  request: PlannedRequest,
  options: SendOptions,
): Promise<SentRequest> {
  try {
    const check = await checkQuota(request, options);
    const checked = {
      request,
      isWarned: check.warnings.length > 0,
      ...(check.allowed ? {} : { deniedFor: check.reason }),
    };
    if (!check.allowed && !options.recordDenied) return checked;
    if (request.isAbandoned) {
      await release(check.reservationId, options);
      return checked;
    }
    return { ...checked, recorded: await recordUsage(request, check, options) };
  } catch (error) {
    if (error instanceof RpcError) return { request, error };
    throw error;
  }
}

function checkQuota(
  request: PlannedRequest,
  { clients, retrier, timings, reserve, signal }: SendOptions,
): Promise<CheckQuotaResponse> {
  const message = toCheckRequest(request, reserve);
  const call = () => timings.check.measure(() => clients.checker.checkQuota(message));
  return retrier.run(call, signal);
}

async function recordUsage(
  request: PlannedRequest,
  { reservationId }: CheckQuotaResponse,
  options: SendOptions,
) {
  const { clients, retrier, timings, createTimeMs, signal } = options;
  const message = toRecordRequest(request, { createTimeMs: createTimeMs(request), reservationId });
  const call = () => timings.record.measure(() => clients.recorder.recordUsage(message));
  const { outcome, record } = await retrier.run(call, signal);
  if (record === undefined) throw new Error(`${request.requestId}: the answer holds no record`);
  // What was recorded before has been charged before: this reservation is for nothing.
  if (outcome === RecordOutcome.REPLAYED) await release(reservationId, options);
  return { outcome, record };
}

async function release(reservationId: string, options: SendOptions): Promise<void> {
  if (reservationId === "") return;
  const { clients, retrier, signal } = options;
  await retrier.run(() => clients.checker.releaseReservation({ reservationId }), signal);
}
