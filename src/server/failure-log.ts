import type { Logger } from "pino";
import type { DomainError } from "../errors.js";

/** Writes down why calls failed. */
export interface FailureLog {
  /**
   * @param logger - the server's, to see whether anybody wants to know.
   * @param callLogger - makes the call's own logger, with its request id and method.
   */
  report(error: DomainError, logger: Logger, callLogger: () => Logger): void;
}

/** Shortest time between two warnings that something we depend on is away. */
const WARNING_INTERVAL_MS = 1_000;

/**
 * Defects are errors, each with its cause, since the answer promises that the log has it. What
 * is away is a warning once a second: while a database is down, every call fails alike. What
 * callers did wrong is theirs to see, and debugging ours.
 */
export function createFailureLog(now: () => number = Date.now): FailureLog {
  let quietUntilMs = 0;
  let suppressed = 0;

  function shouldWarn(error: DomainError): boolean {
    if (error.kind !== "unavailable" || error.cause === undefined) return false;
    if (now() >= quietUntilMs) return true;
    suppressed += 1;
    return false;
  }

  return {
    report(error, logger, callLogger) {
      const fields = { reason: error.reason, err: error.cause ?? error };
      if (error.kind === "internal") {
        callLogger().error(fields, "call failed by a defect");
      } else if (shouldWarn(error)) {
        callLogger().warn({ ...fields, suppressed }, "call failed");
        quietUntilMs = now() + WARNING_INTERVAL_MS;
        suppressed = 0;
      } else if (logger.isLevelEnabled("debug")) {
        callLogger().debug(fields, "call refused");
      }
    },
  };
}
