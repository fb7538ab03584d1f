import type { Message } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import type { Code } from "../../gen/google/rpc/code_pb.js";
import type { Identity } from "../caller.js";
import type { DomainError } from "../errors.js";

/** A call, as those see it who look on. What they do not ask for is never made. */
export interface ObservedCall {
  /** "tally.v1.QuotaChecker/CheckQuota", or {@link UNKNOWN_METHOD}. */
  readonly method: string;
  readonly isStreaming: boolean;
  readonly requestId: string;
  /** Address of the caller, "127.0.0.1:4711", or "unknown". */
  readonly peer: string;
  /** Writes the request id and the method with every line. */
  readonly logger: Logger;
  /** Who calls, if that was found out. */
  readonly knownIdentity: Identity | undefined;
  /** A header of the request by its lower-case name. */
  header(name: string): string | undefined;
}

/** Hears of every call: to count, to trace, to write down. What it costs, every call pays. */
export interface CallObserver {
  /** A call has begun. */
  begin(call: ObservedCall): CallObservation;
}

/** What becomes of one call. */
export interface CallObservation {
  /** The request of a unary call, once it is decoded. */
  noteRequest?(request: Message): void;
  /**
   * The call is over; told once.
   *
   * @param error - why it failed; undefined also when its caller went away meanwhile
   */
  end(code: Code, error: DomainError | undefined): void;
}

/** Stands for all methods that nobody serves, so that callers cannot make names up. */
export const UNKNOWN_METHOD = "unknown";

/** One observer that tells several, each in turn; undefined when there are none. */
export function tellAll(
  observers: readonly (CallObserver | undefined)[],
): CallObserver | undefined {
  const wanted = observers.filter((observer) => observer !== undefined);
  if (wanted.length < 2) return wanted[0];
  return {
    begin(call) {
      const observations = wanted.map((observer) => observer.begin(call));
      return {
        noteRequest(request) {
          for (const observation of observations) observation.noteRequest?.(request);
        },
        end(code, error) {
          for (const observation of observations) observation.end(code, error);
        },
      };
    },
  };
}
