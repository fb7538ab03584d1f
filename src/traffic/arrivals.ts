import type { Prng } from "./prng.js";

const BURST_CHANCE = 0.01;
const BURST_REQUESTS = { min: 20, max: 80 };
/** How much closer requests of a burst follow each other. */
const BURST_FACTOR = 10;

/**
 * Makes a clock of arrivals: a Poisson process that falls into bursts every hundred requests or
 * so. Each call gives the next arrival in milliseconds; the first is 0.
 *
 * @param meanGapMs mean time between two arrivals outside of bursts
 */
export function createArrivals(prng: Prng, meanGapMs: number): () => number {
  let nextMs = 0;
  let burstLeft = 0;
  return () => {
    const offsetMs = Math.round(nextMs);
    if (burstLeft > 0) burstLeft -= 1;
    else if (prng.chance(BURST_CHANCE)) {
      burstLeft = prng.integer(BURST_REQUESTS.min, BURST_REQUESTS.max);
    }
    nextMs += prng.exponential(burstLeft > 0 ? meanGapMs / BURST_FACTOR : meanGapMs);
    return offsetMs;
  };
}
