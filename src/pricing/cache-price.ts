/**
 * Prices of cached tokens. Where none is given they derive from the input price as 1.25 x and
 * 0.1 x, which need not be whole nano-USD per million tokens. They are therefore in
 * nano-USD per 20 million tokens, the smallest unit in which both are whole (25 x and 2 x the
 * input price per million), so that a cost is rounded once, at its end.
 */
import type { CacheTtlPrice, PriceTier } from "./price.js";

/** A million tokens times this is the unit of cache prices. */
const UNIT = 20n;

/** Tokens that a cache price is for: cost in nano-USD = tokens x price / CACHE_PRICE_TOKENS. */
export const CACHE_PRICE_TOKENS = UNIT * 1_000_000n;

/** 1.25 x the input price, in the unit of cache prices. */
const CREATION_FALLBACK = 25n;

/** 0.1 x the input price, in the unit of cache prices. */
const READ_FALLBACK = 2n;

/**
 * Price of writing to the cache, nano-USD per 20 million tokens: the TTL entry's, else the
 * tier's, else 1.25 x input.
 *
 * @param ttlMinutes time to live of what is written; unset: no TTL entry applies
 */
export function cacheCreationNanoUsdPer20Million(
  tier: PriceTier,
  ttlMinutes: number | undefined,
): bigint {
  const price =
    selectTtlPrice(tier, ttlMinutes)?.cacheCreationNanoUsdPerMillion ??
    tier.cacheCreationNanoUsdPerMillion;
  return price === undefined ? tier.inputNanoUsdPerMillion * CREATION_FALLBACK : price * UNIT;
}

/**
 * Price of reading from the cache, nano-USD per 20 million tokens: the TTL entry's, else the
 * tier's, else 0.1 x input.
 *
 * @param ttlMinutes time to live of the cache entry; unset: no TTL entry applies
 */
export function cacheReadNanoUsdPer20Million(
  tier: PriceTier,
  ttlMinutes: number | undefined,
): bigint {
  const price =
    selectTtlPrice(tier, ttlMinutes)?.cacheReadNanoUsdPerMillion ?? tier.cacheReadNanoUsdPerMillion;
  return price === undefined ? tier.inputNanoUsdPerMillion * READ_FALLBACK : price * UNIT;
}

/**
 * The first TTL entry not below the time to live, beyond all of them the last; none without
 * either.
 */
function selectTtlPrice(
  tier: PriceTier,
  ttlMinutes: number | undefined,
): CacheTtlPrice | undefined {
  if (ttlMinutes === undefined) return undefined;
  const entries = tier.cacheTtlPricing;
  return entries.find((entry) => ttlMinutes <= entry.ttlMinutes) ?? entries.at(-1);
}
