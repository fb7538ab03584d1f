import { DomainError } from "../errors.js";

/** What one process takes at most, whatever the port. */
export interface AdmissionLimits {
  /** Calls that wait for something at the same time, streams included. */
  readonly maxCallsInFlight: number;
  /** How far the process may be behind with what has arrived, in milliseconds. */
  readonly maxLagMs: number;
}

/** Decides whether one more call is begun, or refused while that is still cheap. */
export interface Admission {
  /** A guard that refuses calls with OVERLOADED, before anything of them is looked at. */
  readonly guard: (call: { readonly method: string }) => void;
  /** A call that was let in has to wait for something. */
  begin(): void;
  /** It does not any more. */
  end(): void;
  readonly callsInFlight: number;
  stop(): void;
}

const TICK_MS = 20;

/** So many calls are let in however late it is: a process that was suspended is not overloaded. */
const CALLS_OF_A_TURN = 64;

const RETRY_AFTER_MS = 500;

/** Probes must tell a busy server from a dead one. */
const ALWAYS_ADMITTED = /^grpc\.health\./;

/**
 * Refuses calls when too many wait, or when what has arrived takes the event loop too long: then
 * whoever comes last would wait for all before it, and few would be answered before their clients
 * gave up. A timer that is late tells how long the present turn of the loop has taken so far.
 *
 * @param nowMs - a clock that never goes back.
 */
export function createAdmission(
  { maxCallsInFlight, maxLagMs }: AdmissionLimits,
  nowMs: () => number = () => performance.now(),
): Admission {
  let callsInFlight = 0;
  let callsOfTurn = 0;
  let expectedMs = nowMs() + TICK_MS;
  const timer = setInterval(() => {
    expectedMs = nowMs() + TICK_MS;
    callsOfTurn = 0;
  }, TICK_MS);
  timer.unref();

  return {
    guard({ method }) {
      if (ALWAYS_ADMITTED.test(method)) return;
      if (callsInFlight >= maxCallsInFlight) throw overloaded("too many calls are under way");
      callsOfTurn += 1;
      if (callsOfTurn <= CALLS_OF_A_TURN) return;
      if (nowMs() - expectedMs > maxLagMs) throw overloaded("the server is behind with its calls");
    },
    begin() {
      callsInFlight += 1;
    },
    end() {
      callsInFlight -= 1;
    },
    get callsInFlight() {
      return callsInFlight;
    },
    stop: () => clearInterval(timer),
  };
}

function overloaded(why: string): DomainError {
  const message = `${why}; nothing was done, try again`;
  return new DomainError("OVERLOADED", message, { retryAfterMs: RETRY_AFTER_MS });
}
