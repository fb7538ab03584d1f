import {
  CACHE_PRICE_TOKENS,
  cacheCreationNanoUsdPer20Million,
  cacheReadNanoUsdPer20Million,
} from "../../pricing/cache-price.js";
import { divideHalfEven } from "../../pricing/money.js";
import type { PriceTier, PriceVersion } from "../../pricing/price.js";

/** Input of requests that were priced alike, added up. */
export interface InputSums {
  /** Null: they had no price. */
  readonly priceVersion: bigint | null;
  readonly tierIndex: number;
  readonly requests: number;
  readonly inputTokens: bigint;
  /** Written to the cache or read from it. */
  readonly cacheableTokens: bigint;
  /** Of these, what would be read with entries that live for 5 minutes. */
  readonly readWithin5Minutes: bigint;
  /** With entries that live for an hour. */
  readonly readWithin1Hour: bigint;
  /** What all of the input cost, nano-USD. */
  readonly paid: bigint;
}

/** What to do about the prompt cache. */
export type CacheChoice = "NO_CHANGE" | "UNCACHED" | "FIVE_MINUTES" | "ONE_HOUR";

/** What input cost and would have cost, nano-USD. */
export interface CacheCosts {
  readonly paid: bigint;
  readonly uncached: bigint;
  readonly fiveMinutes: bigint;
  readonly oneHour: bigint;
  readonly cheapest: CacheChoice;
  readonly unpricedRequests: number;
}

/** Contents of prices by version. */
export type PricesByVersion = ReadonlyMap<bigint, PriceVersion>;

/** The tier that records were priced with; undefined for those without a price. */
export function tierOf(
  priceVersion: bigint | null,
  tierIndex: number | null,
  prices: PricesByVersion,
): PriceTier | undefined {
  if (priceVersion === null) return undefined;
  return prices.get(priceVersion)?.price.tiers[tierIndex ?? 0];
}

/** The input price for as many tokens as cache prices are for. */
export function inputNanoUsdPer20Million({ inputNanoUsdPerMillion }: PriceTier): bigint {
  return inputNanoUsdPerMillion * (CACHE_PRICE_TOKENS / 1_000_000n);
}

/** Adds up costs, exactly, each rounded once at its end. */
export function cacheCostsOf(sums: readonly InputSums[], prices: PricesByVersion): CacheCosts {
  const total = { paid: 0n, uncached: 0n, fiveMinutes: 0n, oneHour: 0n };
  let unpricedRequests = 0;
  for (const sum of sums) {
    const tier = tierOf(sum.priceVersion, sum.tierIndex, prices);
    if (tier === undefined) {
      unpricedRequests += sum.requests;
      continue;
    }
    total.paid += sum.paid;
    total.uncached += (sum.inputTokens + sum.cacheableTokens) * inputNanoUsdPer20Million(tier);
    total.fiveMinutes += costWith(5, sum, tier);
    total.oneHour += costWith(60, sum, tier);
  }
  const costs = {
    paid: total.paid,
    uncached: divideHalfEven(total.uncached, CACHE_PRICE_TOKENS),
    fiveMinutes: divideHalfEven(total.fiveMinutes, CACHE_PRICE_TOKENS),
    oneHour: divideHalfEven(total.oneHour, CACHE_PRICE_TOKENS),
  };
  return { ...costs, cheapest: cheapestOf(costs), unpricedRequests };
}

function costWith(ttlMinutes: 5 | 60, sum: InputSums, tier: PriceTier): bigint {
  const read = ttlMinutes === 5 ? sum.readWithin5Minutes : sum.readWithin1Hour;
  return (
    sum.inputTokens * inputNanoUsdPer20Million(tier) +
    read * cacheReadNanoUsdPer20Million(tier, ttlMinutes) +
    (sum.cacheableTokens - read) * cacheCreationNanoUsdPer20Million(tier, ttlMinutes)
  );
}

/** Less is not worth a change. */
const WORTHWHILE_PERCENT = 2n;

/** The cheapest, the first among equals, if it saves enough of what was paid. */
function cheapestOf(
  costs: Pick<CacheCosts, "paid" | "uncached" | "fiveMinutes" | "oneHour">,
): CacheChoice {
  let choice: CacheChoice = "UNCACHED";
  let least = costs.uncached;
  if (costs.fiveMinutes < least) {
    choice = "FIVE_MINUTES";
    least = costs.fiveMinutes;
  }
  if (costs.oneHour < least) {
    choice = "ONE_HOUR";
    least = costs.oneHour;
  }
  const saved = costs.paid - least;
  const isWorthwhile = saved > 0n && saved * 100n >= costs.paid * WORTHWHILE_PERCENT;
  return isWorthwhile ? choice : "NO_CHANGE";
}
