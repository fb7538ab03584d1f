import { setTimeout as delay } from "node:timers/promises";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { backoffDelayMs } from "../backoff.js";
import { RpcError } from "../client/grpc-client.js";

/** The server gave no answer for too long. */
export class ServerGoneError extends Error {
  override readonly name = "ServerGoneError";

  constructor(silentMs: number, cause: RpcError) {
    const seconds = Math.round(silentMs / 1_000);
    super(`no answer for ${seconds} s; last: ${cause.codeName}: ${cause.message}`, { cause });
  }
}

/** Options of {@link createRetrier}. */
export interface RetrierOptions {
  /** How long the server may answer nothing at all, whatever the call, before giving up. */
  readonly retryForMs: number;
  /** Told before each new attempt. */
  readonly onRetry?: (error: RpcError) => void;
}

/** Calls again what failed for a reason that passes. */
export interface Retrier {
  /**
   * @param call idempotent, since its effect may be there although its answer was lost
   * @param signal ends the waiting between two attempts
   * @throws RpcError for a reason that does not pass; ServerGoneError; the signal's reason
   */
  run<T>(call: () => Promise<T>, signal: AbortSignal): Promise<T>;
}

const BACKOFF = { baseMs: 50, maxMs: 2_000 };

/**
 * Makes a retrier for calls to one server. It waits as long as the server's RetryInfo says, and
 * from 50 ms doubling up to 2 s beyond that, with jitter, so that callers do not come back all at
 * once. An outage is measured over all calls together: any answer ends it.
 */
export function createRetrier({ retryForMs, onRetry }: RetrierOptions): Retrier {
  let lastAnswerMs = performance.now();
  return {
    async run(call, signal) {
      for (let attempt = 1; ; attempt += 1) {
        try {
          const answer = await call();
          lastAnswerMs = performance.now();
          return answer;
        } catch (error) {
          signal.throwIfAborted();
          if (!(error instanceof RpcError) || !isPassing(error)) throw error;
          const silentMs = performance.now() - lastAnswerMs;
          if (silentMs >= retryForMs) throw new ServerGoneError(silentMs, error);
          onRetry?.(error);
          await waitBeforeRetry(error, attempt, signal);
        }
      }
    },
  };
}

/** Whether the same call may succeed later. */
export function isPassing({ code, reason }: RpcError): boolean {
  switch (code) {
    case Code.UNAVAILABLE:
    case Code.RESOURCE_EXHAUSTED:
    case Code.DEADLINE_EXCEEDED:
      return true;
    // What a broken connection makes of a call; our server gives its own errors a reason.
    case Code.INTERNAL:
    case Code.UNKNOWN:
    case Code.CANCELLED:
      return reason === undefined;
    default:
      return false;
  }
}

async function waitBeforeRetry(error: RpcError, attempt: number, signal: AbortSignal) {
  const { retryDelay } = error.details.retryInfo ?? {};
  const wantedMs = retryDelay === undefined ? 0 : durationMs(retryDelay);
  await delay(wantedMs + backoffDelayMs(attempt, BACKOFF, Math.random()), undefined, { signal });
}
