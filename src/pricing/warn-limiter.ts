/** Lets a warning pass once per key and interval. */
export interface WarnLimiter {
  /** Whether a warning about the key may be given now; true starts the key's next interval. */
  shouldWarn(key: string): boolean;
}

/** Options of a warn limiter. */
export interface WarnLimiterOptions {
  /** The clock, milliseconds, never going back. */
  readonly nowMs: () => number;
  /** Silence after a warning. Default a minute, often enough to notice and too seldom to flood. */
  readonly intervalMs?: number;
  /**
   * The most keys remembered, since callers choose them; the oldest warning goes first. Default
   * 10,000.
   */
  readonly maxKeys?: number;
}

/** Makes a limiter, for warnings about models without a price for instance. */
export function createWarnLimiter(options: WarnLimiterOptions): WarnLimiter {
  const { nowMs, intervalMs = 60_000, maxKeys = 10_000 } = options;
  // A Map iterates in order of insertion, so its first key is the oldest warning.
  const warnedAtMs = new Map<string, number>();
  return {
    shouldWarn(key) {
      const now = nowMs();
      const last = warnedAtMs.get(key);
      if (last !== undefined && now - last < intervalMs) return false;
      warnedAtMs.delete(key);
      const oldest = warnedAtMs.size >= maxKeys ? warnedAtMs.keys().next() : undefined;
      if (oldest?.done === false) warnedAtMs.delete(oldest.value);
      warnedAtMs.set(key, now);
      return true;
    },
  };
}
