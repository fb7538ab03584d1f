/**
 * What a model costs. Prices are nano-USD per million tokens ($3 per 1M = 3,000,000,000n),
 * since many real prices are no whole number of nano-USD per token.
 */

/** Cache prices for entries with one time to live; what is unset is the tier's. */
export interface CacheTtlPrice {
  /** Applies to a time to live up to this many minutes, 1 to 525,600. */
  readonly ttlMinutes: number;
  /** Price of writing to the cache. */
  readonly cacheCreationNanoUsdPerMillion?: bigint;
  /** Price of reading from the cache. */
  readonly cacheReadNanoUsdPerMillion?: bigint;
}

/** The prices for requests whose input context has up to so many tokens. */
export interface PriceTier {
  /** Largest input context of this tier, tokens, inclusive, 1 to 2^42. Unset: no upper border. */
  readonly upToTokens?: number;
  /** Price of input. */
  readonly inputNanoUsdPerMillion: bigint;
  /** Price of output. */
  readonly outputNanoUsdPerMillion: bigint;
  /** Price of writing to the prompt cache. Unset: 1.25 x input. */
  readonly cacheCreationNanoUsdPerMillion?: bigint;
  /** Price of reading from the prompt cache. Unset: 0.1 x input. */
  readonly cacheReadNanoUsdPerMillion?: bigint;
  /** Cache prices by time to live, ascending; may be empty. */
  readonly cacheTtlPricing: readonly CacheTtlPrice[];
}

/** The price of a model: tiers, and possibly a price per request. */
export interface Price {
  /**
   * At least one, ascending by `upToTokens`; only the last may have no border. A flat price is one
   * tier.
   */
  readonly tiers: readonly PriceTier[];
  /** Price of one request that did not fail, nano-USD; added to the price of the tokens. */
  readonly requestNanoUsd?: bigint;
}

/** One effective-dated entry of the price list. */
export interface PriceVersion {
  /**
   * Identifies the entry (a model, a provider or all of them, and a start), unique in a price
   * book.
   */
  readonly priceId: string;
  /** The provider whose price it is. Unset: the model's global price. */
  readonly provider?: string;
  /** The model, as usage records name it. */
  readonly model: string;
  /** The price. */
  readonly price: Price;
  /**
   * From when on, milliseconds since 1970 (a fraction is heeded). Unset: from the beginning of
   * time.
   */
  readonly effectiveFromMs?: number;
  /** Until when, exclusive. Unset: until a later entry starts. */
  readonly effectiveToMs?: number;
  /** Counts up with every change of the entry, 1 or more. */
  readonly version: bigint;
}

/** The most that a million tokens may cost: 10^15 nano-USD, a dollar a token. */
export const MAX_PRICE_NANO_USD_PER_MILLION = 1_000_000_000_000_000n;

/** The most that a request may cost beside its tokens: 10^15 nano-USD, a million dollars. */
export const MAX_REQUEST_PRICE_NANO_USD = 1_000_000_000_000_000n;

/** The highest border of a tier, tokens: 2^42, four times the most tokens of one kind. */
export const MAX_TIER_BORDER_TOKENS = 2 ** 42;

/** The longest time to live of a cache entry, minutes: a year of 365 days. */
export const MAX_CACHE_TTL_MINUTES = 525_600;

/** The most tiers of a price. */
export const MAX_TIERS = 16;

/** The most cache prices by time to live in one tier. */
export const MAX_CACHE_TTL_PRICES = 8;

/** How a record names the price that it was priced with: "gpt-4o@openai#3". */
export function formatPriceVersion(version: PriceVersion): string {
  return `${version.priceId}#${version.version}`;
}
