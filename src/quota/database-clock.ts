/**
 * The database's clock as this process knows it. Expiry is decided by PostgreSQL alone; here its
 * time is only estimated, and never too early: a reading was taken after the question was sent, so
 * reading + time since sending is at or past the database's time. Counts on a clock that never goes
 * back, so a jump of this machine's wall clock changes nothing.
 */
export interface DatabaseClock {
  /** Milliseconds since 1970, whole. */
  nowMs(): number;
  /** The steady clock, to be read before a question is sent. */
  steadyMs(): number;
  /** Takes a reading of the database's clock that was asked for at `sentAtMs` of the steady clock. */
  learn(databaseNowMs: number, sentAtMs: number): void;
}

/** Makes a clock; until it learns, it trusts this machine's. */
export function createDatabaseClock(
  steadyMs: () => number = () => performance.now(),
  wallMs: () => number = Date.now,
): DatabaseClock {
  let offsetMs = wallMs() - steadyMs();
  return {
    steadyMs,
    nowMs: () => Math.ceil(steadyMs() + offsetMs),
    learn(databaseNowMs, sentAtMs) {
      offsetMs = databaseNowMs - sentAtMs;
    },
  };
}
