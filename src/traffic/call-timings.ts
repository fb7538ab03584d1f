import { createHistogram } from "node:perf_hooks";

/** How long calls of one kind took. Only answered ones count. */
export interface CallTimer {
  readonly count: number;
  /** @throws what the call throws, which is not measured then */
  measure<T>(call: () => Promise<T>): Promise<T>;
  /** Milliseconds in which so many percent of the calls were answered; 0 without calls. */
  percentileMs(percent: number): number;
}

/** Timers of the calls that traffic consists of. */
export interface CallTimings {
  readonly check: CallTimer;
  readonly record: CallTimer;
}

/** Makes timers that have seen nothing. */
export function createCallTimings(): CallTimings {
  return { check: createCallTimer(), record: createCallTimer() };
}

const NANOSECONDS_PER_MS = 1e6;

/** Keeps a histogram, so its memory does not grow with the calls. */
function createCallTimer(): CallTimer {
  const histogram = createHistogram();
  return {
    get count() {
      return histogram.count;
    },
    async measure(call) {
      const startedMs = performance.now();
      const answer = await call();
      const elapsedMs = performance.now() - startedMs;
      histogram.record(Math.max(1, Math.round(elapsedMs * NANOSECONDS_PER_MS)));
      return answer;
    },
    percentileMs: (percent) =>
      histogram.count === 0 ? 0 : histogram.percentile(percent) / NANOSECONDS_PER_MS,
  };
}
