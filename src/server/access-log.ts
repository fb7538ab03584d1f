import type { Logger } from "pino";
import { Code } from "../../gen/google/rpc/code_pb.js";
import type { CallObserver, ObservedCall } from "./call-observer.js";

/** Which calls have a line at level info; the others have one at level debug. */
export type AccessLogChoice = "none" | "failed" | "all";

/**
 * Writes a line for each call, with how it ended and how long it took; undefined where nobody would
 * see one. Why a call failed in detail is the failure log's to tell.
 *
 * @param nowMs - milliseconds of a clock that never jumps
 */
export function createAccessLog(
  logger: Logger,
  choice: AccessLogChoice,
  nowMs: () => number = () => performance.now(),
): CallObserver | undefined {
  const isDebugging = logger.isLevelEnabled("debug");
  const isAsked = choice !== "none" && logger.isLevelEnabled("info");
  if (!isDebugging && !isAsked) return undefined;
  return {
    begin(call) {
      const startedMs = nowMs();
      return {
        end(code, error) {
          const isInfo = choice === "all" || (choice === "failed" && code !== Code.OK);
          if (!isInfo && !isDebugging) return;
          const line = { ...fieldsOf(call, code), durationMs: nowMs() - startedMs };
          const fields = error === undefined ? line : { ...line, reason: error.reason };
          const text = code === Code.OK ? "call answered" : "call failed";
          if (isInfo) call.logger.info(fields, text);
          else call.logger.debug(fields, text);
        },
      };
    },
  };
}

function fieldsOf({ peer, knownIdentity }: ObservedCall, code: Code) {
  const caller = knownIdentity === undefined ? {} : { caller: knownIdentity.name };
  return { code: Code[code], peer, ...caller };
}
