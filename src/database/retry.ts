import { setTimeout as delay } from "node:timers/promises";
import { type BackoffPolicy, backoffDelayMs } from "../backoff.js";
import { isRetryable } from "./errors.js";

/** How often and how patiently {@link withRetry} repeats. */
export interface RetryOptions extends Partial<BackoffPolicy> {
  /** Attempts in all, the first included. Default 5. */
  readonly maxAttempts?: number;
  /** Which errors are worth another attempt. Default: deadlocks and serialization failures. */
  readonly retryOn?: (error: unknown) => boolean;
  /** Ends the waiting: the last error is thrown, no further attempt is made. */
  readonly signal?: AbortSignal | undefined;
  /** Called before each wait, for a log line or a metric. */
  readonly onRetry?: (error: unknown, attempt: number) => void;
  /** Uniform in [0, 1). Default Math.random. */
  readonly random?: () => number;
}

const DEFAULT_MAX_ATTEMPTS = 5;
const DEFAULT_BASE_MS = 10;
const DEFAULT_MAX_MS = 500;

/**
 * Runs `work` until it succeeds, fails with an error that `retryOn` refuses, has been tried
 * `maxAttempts` times, or `signal` aborts; between attempts it waits with jitter, because
 * transactions that deadlocked with each other would otherwise meet again.
 *
 * @throws the error of the last attempt, unchanged; the signal's reason when it was aborted
 *   before the first.
 */
export async function withRetry<T>(
  work: (attempt: number) => Promise<T>,
  options: RetryOptions = {},
): Promise<T> {
  const { maxAttempts = DEFAULT_MAX_ATTEMPTS, retryOn = isRetryable, signal } = options;
  const policy = {
    baseMs: options.baseMs ?? DEFAULT_BASE_MS,
    maxMs: options.maxMs ?? DEFAULT_MAX_MS,
  };
  const random = options.random ?? Math.random;
  for (let attempt = 1; ; attempt += 1) {
    signal?.throwIfAborted();
    try {
      return await work(attempt);
    } catch (error) {
      if (attempt >= maxAttempts || !retryOn(error)) throw error;
      options.onRetry?.(error, attempt);
      await waitOrThrow(backoffDelayMs(attempt, policy, random()), signal, error);
    }
  }
}

/** Waits; when the signal aborts first, throws `error`, which says more than "aborted". */
async function waitOrThrow(
  delayMs: number,
  signal: AbortSignal | undefined,
  error: unknown,
): Promise<void> {
  try {
    await delay(delayMs, undefined, signal === undefined ? {} : { signal });
  } catch {
    throw error;
  }
}
