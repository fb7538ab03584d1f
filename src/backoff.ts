/** How long to wait between attempts. */
export interface BackoffPolicy {
  /** Longest wait before the first repeat, in milliseconds. */
  readonly baseMs: number;
  /** Longest wait ever, in milliseconds. */
  readonly maxMs: number;
}

/**
 * Exponential backoff with equal jitter: half of the wait is fixed, half is random, so that
 * callers that failed together do not come back together and none comes back at once.
 *
 * @param attempt - how many attempts have failed so far, from 1.
 * @param random - uniform in [0, 1).
 * @returns a wait in [d/2, d) milliseconds, where d = min(maxMs, baseMs x 2^(attempt-1)).
 */
export function backoffDelayMs(attempt: number, policy: BackoffPolicy, random: number): number {
  const ceilingMs = Math.min(policy.maxMs, policy.baseMs * 2 ** (attempt - 1));
  return ceilingMs / 2 + (ceilingMs / 2) * random;
}
