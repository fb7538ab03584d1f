import {
  CACHE_PRICE_TOKENS,
  cacheCreationNanoUsdPer20Million,
  cacheReadNanoUsdPer20Million,
} from "../../pricing/cache-price.js";
import { divideHalfEven } from "../../pricing/money.js";
import { parseRateMultiplier, RATE_MULTIPLIER_ONE } from "../../pricing/rate-multiplier.js";
import { inputNanoUsdPer20Million, type PricesByVersion, tierOf } from "./cache-costs.js";

/** Sums of records; money in nano-USD. */
export interface CacheTotals {
  readonly requests: bigint;
  readonly requestsWithHit: bigint;
  readonly unpricedRequests: bigint;
  readonly inputTokens: bigint;
  readonly creationTokens: bigint;
  readonly readTokens: bigint;
  readonly creationCost: bigint;
  readonly readCost: bigint;
  readonly actualCacheCost: bigint;
}

/** Cached tokens that were priced alike, added up. */
export interface CachedSums {
  /** Null: they had no price. */
  readonly priceVersion: bigint | null;
  readonly tierIndex: number;
  /** Null: none was told. */
  readonly ttlMinutes: number | null;
  /** Decimal text. */
  readonly rateMultiplier: string;
  /** Whether nothing is actually paid. */
  readonly isFree: boolean;
  readonly creationTokens: bigint;
  readonly readTokens: bigint;
}

/** What the cache saved, nano-USD. */
export interface CacheSavings {
  readonly gross: bigint;
  /** Less what writing cost more than input. */
  readonly net: bigint;
}

/** By the price list, and after rate multipliers. */
export interface BothSavings {
  readonly list: CacheSavings;
  readonly actual: CacheSavings;
}

/** Adds up savings, exactly, each rounded once at its end. */
export function savingsOf(sums: readonly CachedSums[], prices: PricesByVersion): BothSavings {
  const list = { gross: 0n, extra: 0n };
  const actual = { gross: 0n, extra: 0n };
  for (const sum of sums) {
    const tier = tierOf(sum.priceVersion, sum.tierIndex, prices);
    if (tier === undefined) continue;
    const ttl = sum.ttlMinutes ?? undefined;
    const input = inputNanoUsdPer20Million(tier);
    const gross = sum.readTokens * (input - cacheReadNanoUsdPer20Million(tier, ttl));
    const extra = sum.creationTokens * (cacheCreationNanoUsdPer20Million(tier, ttl) - input);
    const multiplier = sum.isFree ? 0n : parseRateMultiplier(sum.rateMultiplier).scaled;
    list.gross += gross;
    list.extra += extra;
    actual.gross += gross * multiplier;
    actual.extra += extra * multiplier;
  }
  return {
    list: rounded(list, CACHE_PRICE_TOKENS),
    actual: rounded(actual, CACHE_PRICE_TOKENS * RATE_MULTIPLIER_ONE),
  };
}

function rounded(sums: { gross: bigint; extra: bigint }, divisor: bigint): CacheSavings {
  return {
    gross: divideHalfEven(sums.gross, divisor),
    net: divideHalfEven(sums.gross - sums.extra, divisor),
  };
}

/** Part of a whole, 0 to 1; nothing has no part of nothing. */
export function rateOf(part: bigint, whole: bigint): number {
  return whole === 0n ? 0 : Number(part) / Number(whole);
}
