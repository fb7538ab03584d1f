/** What a port takes at most. Times in milliseconds, sizes in bytes. */
export interface ServerLimits {
  /** Largest message of a request, packed and unpacked. */
  readonly maxMessageBytes: number;
  /** Connections at the same time; further ones are closed at once. */
  readonly maxConnections: number;
  /** Calls at the same time on one connection; more wait at the client. */
  readonly maxConcurrentStreams: number;
  /** Names and values of the headers of one call. */
  readonly maxHeaderBytes: number;
  /** How long a connection may be silent before it is asked whether it still lives. */
  readonly keepaliveTimeMs: number;
  /** How long it has to answer. */
  readonly keepaliveTimeoutMs: number;
  /** Pings a second on one connection, over ten seconds. Whoever sends more is cut off. */
  readonly maxPingsPerSecond: number;
  /**
   * Age at which a client is asked to connect anew, so that load spreads over processes that
   * started later. 0: never.
   */
  readonly maxConnectionAgeMs: number;
  /** How long the calls of such a connection may go on. */
  readonly connectionAgeGraceMs: number;
  /** The deadline of calls whose clients give none. Streams have none then. */
  readonly defaultDeadlineMs: number;
  /** The latest deadline of calls that are no streams. */
  readonly maxDeadlineMs: number;
}

const MINUTE_MS = 60_000;

/** What holds where nothing else is said: generous to clients that behave. */
export const DEFAULT_LIMITS: ServerLimits = {
  maxMessageBytes: 4 * 1024 * 1024,
  maxConnections: 10_000,
  maxConcurrentStreams: 1_000,
  maxHeaderBytes: 32 * 1024,
  keepaliveTimeMs: MINUTE_MS,
  keepaliveTimeoutMs: 20_000,
  maxPingsPerSecond: 100,
  maxConnectionAgeMs: 30 * MINUTE_MS,
  connectionAgeGraceMs: 10 * MINUTE_MS,
  defaultDeadlineMs: 60 * MINUTE_MS,
  maxDeadlineMs: 60 * MINUTE_MS,
};

/** When a call must be over. */
export type DeadlineLimits = Pick<ServerLimits, "defaultDeadlineMs" | "maxDeadlineMs">;

/**
 * The deadline that holds, for one that the client gave.
 *
 * @param givenMs - milliseconds since the epoch; Infinity for none.
 */
export function deadlineWithin(
  { defaultDeadlineMs, maxDeadlineMs }: DeadlineLimits,
  givenMs: number,
  nowMs: number,
): number {
  const wanted = Number.isFinite(givenMs) ? givenMs : nowMs + defaultDeadlineMs;
  return Math.min(wanted, nowMs + maxDeadlineMs);
}
