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
  const spanMs = planned.at(-1)?.offsetMs ?? 0;
  const now = new Date(nowMs);
  const monthStartMs = Date.UTC(now.getUTCFullYear(), now.getUTCMonth());
  const shownMs = Math.min(spanMs, nowMs - monthStartMs);
  return ({ offsetMs }) => {
    const share = spanMs === 0 ? 1 : offsetMs / spanMs;
    return nowMs - shownMs + Math.floor(share * shownMs);
  };
}
