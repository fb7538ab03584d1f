import { setTimeout as delay } from "node:timers/promises";
import type { PlannedRequest } from "./planned-request.js";

/** Options of {@link driveTraffic}. */
export interface DriveOptions {
  /** Sends one request and sees it through. What it throws ends the drive. */
  readonly send: (request: PlannedRequest, signal: AbortSignal) => Promise<void>;
  /** Most requests that are under way or wait for their lane, 1 or more. */
  readonly concurrency: number;
  /** How many times faster than planned requests arrive; Infinity: without any waiting. */
  readonly speed: number;
  /** Requests of one lane are sent one after the other; undefined: in any order. */
  readonly laneOf?: (request: PlannedRequest) => string;
  /** Ends the drive: no further requests are sent, those under way are told. */
  readonly signal: AbortSignal;
}

/**
 * Sends planned requests at their time, no more than so many at once, and reads no further ahead
 * than it sends. Resolves when all are done, or when the signal has ended the drive.
 *
 * @throws what `send` or the plan throws first, after the requests under way have ended
 */
export async function driveTraffic(
  requests: AsyncIterable<PlannedRequest> | Iterable<PlannedRequest>,
  options: DriveOptions,
): Promise<void> {
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  const slots = createSlots(options.concurrency);
  const lanes = new Map<string, Promise<void>>();
  const startedMs = performance.now();
  try {
    for await (const request of requests) {
      await waitUntil(startedMs + request.offsetMs / options.speed, signal);
      if (signal.aborted) break;
      await slots.take();
      void dispatch(request).finally(slots.giveBack);
    }
  } catch (error) {
    failure.abort(error);
  }
  await slots.allGivenBack();
  if (failure.signal.aborted) throw failure.signal.reason;

  function dispatch(request: PlannedRequest): Promise<void> {
    const lane = options.laneOf?.(request);
    if (lane === undefined) return send(request);
    const turn = (lanes.get(lane) ?? Promise.resolve()).then(() => send(request));
    lanes.set(lane, turn);
    return turn;
  }

  async function send(request: PlannedRequest): Promise<void> {
    if (signal.aborted) return;
    try {
      await options.send(request, signal);
    } catch (error) {
      // A request that ended because the drive did is no failure of its own.
      if (!signal.aborted) failure.abort(error);
    }
  }
}

async function waitUntil(timeMs: number, signal: AbortSignal): Promise<void> {
  const waitMs = timeMs - performance.now();
  if (waitMs > 0) await delay(waitMs, undefined, { signal }).catch(() => undefined);
}

/** A fixed number of slots, one taker at a time. */
function createSlots(count: number) {
  let free = count;
  let wake: () => void = () => undefined;
  return { take, giveBack, allGivenBack };

  async function take(): Promise<void> {
    await freeAtLeast(1);
    free -= 1;
  }

  function giveBack(): void {
    free += 1;
    wake();
  }

  function allGivenBack(): Promise<void> {
    return freeAtLeast(count);
  }

  async function freeAtLeast(wanted: number): Promise<void> {
    while (free < wanted) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  }
}
