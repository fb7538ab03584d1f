import { type BackoffPolicy, backoffDelayMs } from "../backoff.js";

/** Options of {@link createCircuitBreaker}. */
export interface CircuitBreakerOptions {
  /** Milliseconds on a clock that never goes back. */
  readonly nowMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Failures one after the other that open it. Default 3. */
  readonly threshold?: number;
  /** How long it stays open, by how often it opened in a row. Default: 1 s, up to 10 s. */
  readonly pause?: BackoffPolicy;
  /** Told when nobody passes any more, and when everybody does again. */
  readonly onChange?: (isOpen: boolean) => void;
}

/** A call that may be made; says once how it ended. */
export type Pass = (outcome: "succeeded" | "failed") => void;

/**
 * Spares callers the wait for something that does not answer. After a few failures it lets nobody
 * pass for a while, then one to try, and everybody once that one succeeds.
 */
export interface CircuitBreaker {
  /** Undefined: do without. */
  enter(): Pass | undefined;
}

const DEFAULT_PAUSE = { baseMs: 1_000, maxMs: 10_000 };

/** Makes a breaker that lets everybody pass. */
export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { nowMs, random, threshold = 3, pause = DEFAULT_PAUSE, onChange } = options;
  let failures = 0;
  let openings = 0;
  let closedAtMs: number | undefined;
  let isProbing = false;

  function open(): void {
    openings += 1;
    if (closedAtMs === undefined) onChange?.(true);
    closedAtMs = nowMs() + backoffDelayMs(openings, pause, random());
  }

  function close(): void {
    failures = 0;
    openings = 0;
    if (closedAtMs !== undefined) onChange?.(false);
    closedAtMs = undefined;
  }

  const probe: Pass = (outcome) => {
    isProbing = false;
    if (outcome === "succeeded") close();
    else open();
  };

  const pass: Pass = (outcome) => {
    // Calls that were under way when it opened tell nothing new.
    if (closedAtMs !== undefined) return;
    failures = outcome === "succeeded" ? 0 : failures + 1;
    if (failures >= threshold) open();
  };

  return {
    enter() {
      if (closedAtMs === undefined) return pass;
      if (isProbing || nowMs() < closedAtMs) return undefined;
      isProbing = true;
      return probe;
    },
  };
}
