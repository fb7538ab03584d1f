import type { TokenCounts } from "../pricing/tokens.js";
import type { Reservation } from "../quota/reservation.js";
import { statusConflict } from "./conflict.js";
import type { Amendment } from "./record-request.js";
import { isFinished, type UsageRecord, type UsageStatus } from "./usage-record.js";

/** What a gateway tells of a request that is under way. "" and undefined: nothing new. */
export interface StatusUpdate {
  readonly status: UsageStatus;
  readonly provider: string;
  readonly targetModel: string;
  readonly providerId: string;
  readonly providerEndpointId: string;
  readonly providerApiKeyId: string;
  readonly errorMessage: string;
  readonly statusCode: number | undefined;
  readonly firstByteTimeMs: number | undefined;
  readonly responseTimeMs: number | undefined;
  readonly outputTokensSoFar: number | undefined;
  /** The reservation of the request, after it was extended. */
  readonly reservation: Reservation | undefined;
}

/** HTTP status of a request of which it is only known that it failed. */
const UNKNOWN_FAILURE = 500;

/**
 * Moves a record on: PENDING, STREAMING, then COMPLETED or FAILED. The same status again renews
 * the last activity, or changes nothing where the record is finished.
 *
 * @returns undefined when there is nothing to change
 * @throws DomainError USAGE_STATUS_CONFLICT
 */
export function updateStatus(existing: UsageRecord, update: StatusUpdate): Amendment | undefined {
  const isGoingBack = existing.status === "STREAMING" && update.status === "PENDING";
  if (isFinished(existing.status)) {
    if (existing.status === update.status) return undefined;
    throw statusConflict(existing, update.status, "status");
  }
  if (isGoingBack) throw statusConflict(existing, update.status, "status");
  const submission = { ...asTold(existing), ...changesOf(existing, update) };
  return { submission, isSwept: false, reservation: update.reservation };
}

/** A record as a submission that says what it says. */
export function asTold(existing: UsageRecord) {
  return { ...existing, isCreateTimeGiven: false, payload: undefined };
}

function changesOf(existing: UsageRecord, update: StatusUpdate) {
  return {
    status: update.status,
    statusCode: statusCodeOf(existing, update),
    provider: update.provider || existing.provider,
    targetModel: update.targetModel || existing.targetModel,
    providerId: update.providerId || existing.providerId,
    providerEndpointId: update.providerEndpointId || existing.providerEndpointId,
    providerApiKeyId: update.providerApiKeyId || existing.providerApiKeyId,
    errorMessage: update.errorMessage || existing.errorMessage,
    firstByteTimeMs: update.firstByteTimeMs ?? existing.firstByteTimeMs,
    responseTimeMs: update.responseTimeMs ?? existing.responseTimeMs,
    tokens: withOutput(existing.tokens, update.outputTokensSoFar ?? 0),
  };
}

function statusCodeOf(existing: UsageRecord, { status, statusCode }: StatusUpdate): number {
  const code = statusCode ?? existing.statusCode;
  return status === "FAILED" && code < 400 ? UNKNOWN_FAILURE : code;
}

/** Heartbeats may arrive in another order than they were sent, so a count only grows. */
function withOutput(tokens: TokenCounts, outputTokens: number): TokenCounts {
  const more = Math.max(outputTokens - tokens.outputTokens, 0);
  return {
    ...tokens,
    outputTokens: tokens.outputTokens + more,
    totalTokens: tokens.totalTokens + more,
  };
}
