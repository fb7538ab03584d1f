import type { CircuitBreaker } from "./circuit-breaker.js";

/** Options of {@link createCommandGuard}. */
export interface CommandGuardOptions {
  readonly breaker: CircuitBreaker;
  /** The longest that anybody waits for an answer. */
  readonly timeoutMs: number;
  /** Most commands without an answer, those that nobody waits for any more included. Default 1,000. */
  readonly maxPending?: number;
  /** Told of each command that failed or took too long. */
  readonly onFailure?: (error: unknown) => void;
}

/** Sends commands to a server that may be away, slow or silent. */
export interface CommandGuard {
  /**
   * The answer to a command.
   *
   * @throws CacheAwayError when it was not sent, failed, or took too long
   */
  run<T>(command: () => Promise<T>): Promise<T>;
}

/** The cache did not answer; its caller does without. */
export class CacheAwayError extends Error {
  override readonly name = "CacheAwayError";
}

/** Makes a guard. */
export function createCommandGuard(options: CommandGuardOptions): CommandGuard {
  const { breaker, timeoutMs, maxPending = 1_000, onFailure } = options;
  let pending = 0;

  async function send<T>(command: () => Promise<T>): Promise<T> {
    pending += 1;
    try {
      return await command();
    } finally {
      pending -= 1;
    }
  }

  return {
    async run(command) {
      // A command that timed out stays with the client until it is answered or the connection ends.
      if (pending >= maxPending) throw new CacheAwayError("too many commands without an answer");
      const pass = breaker.enter();
      if (pass === undefined) throw new CacheAwayError("the cache was away a moment ago");
      try {
        const answer = await within(timeoutMs, send(command));
        pass("succeeded");
        return answer;
      } catch (error) {
        onFailure?.(error);
        pass("failed");
        throw new CacheAwayError("the cache did not answer", { cause: error });
      }
    },
  };
}

async function within<T>(timeoutMs: number, answer: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  });
  try {
    return await Promise.race([answer, limit]);
  } finally {
    clearTimeout(timer);
  }
}
