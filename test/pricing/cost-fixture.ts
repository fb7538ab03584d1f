/** A price, a request and what it costs, for the tests of costs. */
import type { CostInput } from "../../src/pricing/cost.js";
import type { Price } from "../../src/pricing/price.js";
import type { PricingTerms } from "../../src/pricing/pricing-terms.js";
import { parseRateMultiplier } from "../../src/pricing/rate-multiplier.js";
import { normalizeTokens, type ReportedTokens } from "../../src/pricing/tokens.js";

/** $3 in, $15 out, up to 200,000 tokens of context; $6 and $22.50 above; $0.001 a request. */
export const PRICE: Price = {
  tiers: [
    {
      upToTokens: 200_000,
      inputNanoUsdPerMillion: 3_000_000_000n,
      outputNanoUsdPerMillion: 15_000_000_000n,
      cacheCreationNanoUsdPerMillion: 3_750_000_000n,
      cacheReadNanoUsdPerMillion: 300_000_000n,
      cacheTtlPricing: [
        { ttlMinutes: 5, cacheCreationNanoUsdPerMillion: 3_750_000_000n },
        { ttlMinutes: 60, cacheCreationNanoUsdPerMillion: 6_000_000_000n },
      ],
    },
    {
      inputNanoUsdPerMillion: 6_000_000_000n,
      outputNanoUsdPerMillion: 22_500_000_000n,
      cacheTtlPricing: [],
    },
  ],
  requestNanoUsd: 1_000_000n,
};

/** Terms that charge the price in full, but for the changes. */
export function termsWith(price: Price, change: Partial<PricingTerms> = {}): PricingTerms {
  return {
    lookup: {
      outcome: "PRICED",
      version: { priceId: "m@p", provider: "p", model: "m", version: 7n, price },
    },
    billingType: "PAY_AS_YOU_GO",
    failedRequestBilling: "USAGE",
    rateMultiplier: parseRateMultiplier("1"),
    ...change,
  };
}

/** A request at PRICE with the given tokens, no others, but for the changes. */
export function inputWith(
  reported: Partial<ReportedTokens>,
  change: Partial<CostInput> = {},
): CostInput {
  return {
    terms: termsWith(PRICE),
    tokens: normalizeTokens({
      inputTokens: 0,
      outputTokens: 0,
      tokenConvention: "CACHE_EXCLUSIVE",
      ...reported,
    }),
    failed: false,
    ...change,
  };
}

/** Tokens of an ordinary request. */
export const TYPICAL = {
  inputTokens: 1_000,
  outputTokens: 500,
  cacheCreationInputTokens: 2_000,
  cacheReadInputTokens: 10_000,
};

/** What TYPICAL costs at PRICE. */
export const TYPICAL_COST = {
  inputNanoUsd: 3_000_000n,
  outputNanoUsd: 7_500_000n,
  cacheCreationNanoUsd: 7_500_000n,
  cacheReadNanoUsd: 3_000_000n,
  cacheNanoUsd: 10_500_000n,
  requestNanoUsd: 1_000_000n,
  totalNanoUsd: 22_000_000n,
};
