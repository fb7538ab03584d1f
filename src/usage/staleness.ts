import type { Amendment } from "./record-request.js";
import { asTold } from "./status-update.js";
import { isFinished, type UsageRecord } from "./usage-record.js";

/** What decides whether a request that is under way is stale. */
export type Activity = Pick<UsageRecord, "updateTimeUs" | "providerEndpointId">;

/** How long requests may go without activity. */
export interface Timeouts {
  /** Of requests to endpoints without a timeout of their own, milliseconds. */
  readonly defaultMs: number;
  /** An endpoint's own. Undefined: it has none, or is not known. */
  readonly endpointMs: (providerEndpointId: string) => number | undefined;
}

/** The design's default: 10 minutes. */
export const DEFAULT_STALE_TIMEOUT_MS = 600_000;

const GATEWAY_TIMEOUT = 504;

/** Whether nothing was heard of an unfinished request for longer than its timeout. */
export function isStale(activity: Activity, timeouts: Timeouts, nowUs: number): boolean {
  return nowUs - activity.updateTimeUs > timeoutMsOf(activity, timeouts) * 1_000;
}

/**
 * Fails a request of which nothing was heard for too long. One that was heard of meanwhile, or is
 * finished, is left as it is.
 */
export function expire(
  existing: UsageRecord,
  timeouts: Timeouts,
  nowUs: number,
): Amendment | undefined {
  if (isFinished(existing.status) || !isStale(existing, timeouts, nowUs)) return undefined;
  const timeoutSeconds = timeoutMsOf(existing, timeouts) / 1_000;
  const since = new Date(existing.updateTimeUs / 1_000).toISOString();
  const errorMessage = `timed out: ${existing.status} without activity since ${since}, for more than ${timeoutSeconds} s`;
  const end = { status: "FAILED", statusCode: GATEWAY_TIMEOUT, errorMessage } as const;
  return { submission: { ...asTold(existing), ...end }, isSwept: true };
}

function timeoutMsOf({ providerEndpointId }: Activity, { defaultMs, endpointMs }: Timeouts) {
  return endpointMs(providerEndpointId) ?? defaultMs;
}
