import { divideHalfEven, MAX_INT64 } from "./money.js";
import { RATE_MULTIPLIER_ONE, type RateMultiplier } from "./rate-multiplier.js";

/** What a request cost, by part, nano-USD, 0 or more. */
export interface CostBreakdown {
  readonly inputNanoUsd: bigint;
  readonly outputNanoUsd: bigint;
  readonly cacheCreationNanoUsd: bigint;
  readonly cacheReadNanoUsd: bigint;
  /** Cache creation + cache read. */
  readonly cacheNanoUsd: bigint;
  /** The price per request. */
  readonly requestNanoUsd: bigint;
  /** Exactly input + output + cache + request, at most 2^63 - 1. */
  readonly totalNanoUsd: bigint;
}

/** The parts that a cost is the sum of. */
export type CostParts = Omit<CostBreakdown, "cacheNanoUsd" | "totalNanoUsd">;

/** Absurd tokens at an absurd price: a total beyond what 64 bits store. */
export class CostOutOfRangeError extends Error {
  override readonly name = "CostOutOfRangeError";
}

/** Nothing was spent. */
export const ZERO_COST: CostBreakdown = sumParts({
  inputNanoUsd: 0n,
  outputNanoUsd: 0n,
  cacheCreationNanoUsd: 0n,
  cacheReadNanoUsd: 0n,
  requestNanoUsd: 0n,
});

/**
 * Adds the sums to the parts, so that parts always add up.
 *
 * @throws CostOutOfRangeError when the total passes 2^63 - 1
 */
export function sumParts(parts: CostParts): CostBreakdown {
  const cacheNanoUsd = parts.cacheCreationNanoUsd + parts.cacheReadNanoUsd;
  const totalNanoUsd =
    parts.inputNanoUsd + parts.outputNanoUsd + cacheNanoUsd + parts.requestNanoUsd;
  if (totalNanoUsd > MAX_INT64) {
    throw new CostOutOfRangeError(`cost: must be at most ${MAX_INT64} nano-USD`);
  }
  return {
    inputNanoUsd: parts.inputNanoUsd,
    outputNanoUsd: parts.outputNanoUsd,
    cacheCreationNanoUsd: parts.cacheCreationNanoUsd,
    cacheReadNanoUsd: parts.cacheReadNanoUsd,
    cacheNanoUsd,
    requestNanoUsd: parts.requestNanoUsd,
    totalNanoUsd,
  };
}

/**
 * A breakdown times a rate multiplier, part by part, each rounded half-even to the nano-USD.
 *
 * @throws CostOutOfRangeError when the total passes 2^63 - 1
 */
export function multiplyCost(cost: CostBreakdown, multiplier: RateMultiplier): CostBreakdown {
  if (multiplier.scaled === RATE_MULTIPLIER_ONE) return cost;
  return sumParts({
    inputNanoUsd: multiply(cost.inputNanoUsd, multiplier),
    outputNanoUsd: multiply(cost.outputNanoUsd, multiplier),
    cacheCreationNanoUsd: multiply(cost.cacheCreationNanoUsd, multiplier),
    cacheReadNanoUsd: multiply(cost.cacheReadNanoUsd, multiplier),
    requestNanoUsd: multiply(cost.requestNanoUsd, multiplier),
  });
}

function multiply(nanoUsd: bigint, multiplier: RateMultiplier): bigint {
  return nanoUsd === 0n ? 0n : divideHalfEven(nanoUsd * multiplier.scaled, RATE_MULTIPLIER_ONE);
}
