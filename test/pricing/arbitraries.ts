/** Random prices, tokens and terms for property tests, weighted towards edges. */
import fc from "fast-check";
import type { CostInput } from "../../src/pricing/cost.js";
import {
  type CacheTtlPrice,
  MAX_CACHE_TTL_MINUTES,
  MAX_TIER_BORDER_TOKENS,
  type Price,
  type PriceTier,
} from "../../src/pricing/price.js";
import type { PriceLookup, PricingTerms } from "../../src/pricing/pricing-terms.js";
import { parseRateMultiplier } from "../../src/pricing/rate-multiplier.js";
import { MAX_TOKENS, normalizeTokens, type ReportedTokens } from "../../src/pricing/tokens.js";

/**
 * Prices of up to $1,000 per million tokens, often tiny odd ones that leave fractions of a
 * nano-USD; low enough that no total passes 64 bits with 2^40 tokens of each kind.
 */
export const amounts = fc.oneof(
  fc.bigInt({ min: 0n, max: 30n }),
  fc.bigInt({ min: 0n, max: 1_000_000_000_000n }),
  fc.constantFrom(3_000_000_000n, 15_000_000_000n, 500_000n, 1_000_000n),
);

/** Token counts from 0 to 2^40. */
export const tokenCounts = fc.oneof(
  fc.nat({ max: 50 }),
  fc.nat({ max: 400_000 }),
  fc.integer({ min: 0, max: MAX_TOKENS }),
  fc.constantFrom(500_000, 1_500_000, 2_500_000, MAX_TOKENS),
);

const ttls = fc.oneof(
  fc.constantFrom(1, 5, 6, 15, 30, 60, 61, MAX_CACHE_TTL_MINUTES),
  fc.integer({ min: 1, max: MAX_CACHE_TTL_MINUTES }),
);

/** Drops what is undefined, since exact optional properties are absent rather than undefined. */
function compact<T extends object>(value: T): T {
  return Object.fromEntries(Object.entries(value).filter(([, v]) => v !== undefined)) as T;
}

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

const cachePrices = {
  cacheCreationNanoUsdPerMillion: maybe(amounts),
  cacheReadNanoUsdPerMillion: maybe(amounts),
};

const ttlPricing: fc.Arbitrary<CacheTtlPrice[]> = fc
  .uniqueArray(fc.record({ ttlMinutes: ttls, ...cachePrices }), {
    selector: (entry) => entry.ttlMinutes,
    maxLength: 4,
  })
  .map((entries) =>
    entries
      .sort((a, b) => a.ttlMinutes - b.ttlMinutes)
      .map((entry) => compact(entry) as CacheTtlPrice),
  );

const tierPrices = fc.record({
  inputNanoUsdPerMillion: amounts,
  outputNanoUsdPerMillion: amounts,
  ...cachePrices,
  cacheTtlPricing: ttlPricing,
});

const borders = fc.oneof(
  fc.integer({ min: 1, max: 100 }),
  fc.constantFrom(128_000, 200_000, MAX_TOKENS, MAX_TIER_BORDER_TOKENS),
);

/** Valid prices of one to five tiers, the last with or without a border. */
export const prices: fc.Arbitrary<Price> = fc
  .record({
    borders: fc.uniqueArray(borders, { minLength: 1, maxLength: 5 }),
    tiers: fc.array(tierPrices, { minLength: 5, maxLength: 5 }),
    isOpen: fc.boolean(),
    requestNanoUsd: maybe(amounts),
  })
  .map(({ borders: unsorted, tiers, isOpen, requestNanoUsd }) => {
    const sorted = unsorted.sort((a, b) => a - b);
    return compact({
      tiers: sorted.map((border, index) => {
        const upToTokens = isOpen && index === sorted.length - 1 ? undefined : border;
        return compact({ upToTokens, ...tiers[index] }) as PriceTier;
      }),
      requestNanoUsd,
    }) as Price;
  });

/**
 * Valid reported counts in the exclusive convention, cache writes as a total or by time to live.
 */
export const exclusiveTokens: fc.Arbitrary<ReportedTokens> = fc
  .record({
    inputTokens: tokenCounts,
    outputTokens: tokenCounts,
    cacheCreationInputTokens: tokenCounts,
    cacheReadInputTokens: tokenCounts,
    cacheCreations: maybe(
      fc.array(fc.record({ ttlMinutes: ttls, tokens: fc.nat({ max: 1_000_003 }) }), {
        minLength: 1,
        maxLength: 4,
      }),
    ),
  })
  .map(({ cacheCreationInputTokens, cacheCreations, ...counts }) => ({
    ...counts,
    ...(cacheCreations === undefined ? { cacheCreationInputTokens } : { cacheCreations }),
    tokenConvention: "CACHE_EXCLUSIVE",
  }));

/** Multipliers of up to 1.9, so that no total passes 64 bits. */
const multipliers = fc
  .oneof(
    fc.constantFrom("1", "0", "0.5", "0.85", "1.25", "0.000000001", "1.000000001"),
    fc
      .nat({ max: 1_900_000_000 })
      .map((n) => `${Math.floor(n / 1e9)}.${String(n % 1e9).padStart(9, "0")}`),
  )
  .map(parseRateMultiplier);

/** Terms that price by the given price, under any billing rule. */
export function termsOf(price: Price): fc.Arbitrary<PricingTerms> {
  const lookup: PriceLookup = {
    outcome: "PRICED",
    version: { priceId: "m@p", provider: "p", model: "m", version: 1n, price },
  };
  return fc.record({
    lookup: fc.constant(lookup),
    billingType: fc.constantFrom("PAY_AS_YOU_GO", "MONTHLY_QUOTA", "FREE_TIER"),
    failedRequestBilling: fc.constantFrom("USAGE", "NONE", "PROMPT_ONLY"),
    rateMultiplier: multipliers,
  });
}

/** Anything that can be priced. */
export const costInputs: fc.Arbitrary<CostInput> = prices.chain((price) =>
  fc
    .record({
      terms: termsOf(price),
      tokens: exclusiveTokens.map(normalizeTokens),
      failed: fc.boolean(),
      apiFormat: maybe(fc.constantFrom("", "CLAUDE", "CLAUDE_CLI", "claude", "OPENAI", "GEMINI")),
      cacheTtlMinutes: maybe(ttls),
      useTieredPricing: maybe(fc.boolean()),
    })
    .map((input) => compact(input) as CostInput),
);
