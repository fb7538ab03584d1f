/** Lets so many through in a minute, all of them at once after a minute without any. */
export interface ProvisionLimiter {
  /**
   * @param maxPerMinute - at least 1; may change from call to call
   * @returns 0 to go on, or after how many milliseconds to ask again
   */
  take(maxPerMinute: number): number;
}

const MINUTE_MS = 60_000;

/** @param nowMs - a clock that is never set back */
export function createProvisionLimiter(nowMs: () => number): ProvisionLimiter {
  let takenMs = Number.NEGATIVE_INFINITY;
  return {
    take(maxPerMinute) {
      const now = nowMs();
      const costMs = MINUTE_MS / maxPerMinute;
      // Each takes up a share of a minute, one after the other: the last may end a minute from now.
      const endMs = Math.max(takenMs, now) + costMs;
      const waitMs = endMs - (now + MINUTE_MS);
      // Shares are seldom exact in binary; a nanosecond keeps the last one of a minute.
      if (waitMs > 1e-6) return Math.ceil(waitMs);
      takenMs = endMs;
      return 0;
    },
  };
}
