import type { Identity } from "../caller.js";
import { DomainError } from "../errors.js";

/** Counts the calls of each caller. */
export interface RateLimiter {
  /** @throws DomainError RATE_LIMITED, with the time after which there is room again */
  take(identity: Identity): void;
}

/** What a caller has left, as of a moment. */
interface Bucket {
  calls: number;
  asOfMs: number;
}

/**
 * Lets each identity make so many calls a second on average, and that many at once after a rest.
 *
 * @param nowMs - a clock that never goes back.
 */
export function createRateLimiter(
  callsPerSecond: number,
  nowMs: () => number = () => performance.now(),
): RateLimiter {
  // No more of them than there are tokens and certificates.
  const buckets = new Map<string, Bucket>();
  return {
    take({ id }) {
      const now = nowMs();
      const bucket = buckets.get(id) ?? { calls: callsPerSecond, asOfMs: now };
      buckets.set(id, bucket);
      const earned = ((now - bucket.asOfMs) / 1_000) * callsPerSecond;
      bucket.calls = Math.min(callsPerSecond, bucket.calls + earned);
      bucket.asOfMs = now;
      if (bucket.calls < 1) throw limited(callsPerSecond, bucket.calls);
      bucket.calls -= 1;
    },
  };
}

function limited(callsPerSecond: number, calls: number): DomainError {
  return new DomainError("RATE_LIMITED", `this caller may make ${callsPerSecond} calls a second`, {
    retryAfterMs: Math.ceil(((1 - calls) / callsPerSecond) * 1_000),
  });
}
