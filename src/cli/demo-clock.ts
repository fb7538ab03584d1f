import type { PlannedRequest } from "../traffic/planned-request.js";

/**
 * Places planned requests in the time before now, the last one now. They are moved together where
 * they would reach into the month before: their budgets are monthly, and are shown for this month.
 *
 * @returns when a request arrived, milliseconds since the epoch
 */
export function createDemoClock(
  planned: readonly PlannedRequest[],
  nowMs: number,
): (request: PlannedRequest) => number {
  const spanMs = Math.max(1, planned.at(-1)?.offsetMs ?? 0);
  const now = new Date(nowMs);
  const monthMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
  const availableMs = Math.min(spanMs, nowMs - monthMs);
  return ({ offsetMs }) => nowMs - availableMs + Math.floor((offsetMs / spanMs) * availableMs);
}
