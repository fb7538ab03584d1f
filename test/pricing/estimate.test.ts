import { expect } from "chai";
import fc from "fast-check";
import { DomainError } from "../../src/errors.js";
import { computeCost } from "../../src/pricing/cost.js";
import { estimateCost, estimateDearestCost } from "../../src/pricing/estimate.js";
import type { Price } from "../../src/pricing/price.js";
import type { PricingTerms } from "../../src/pricing/pricing-terms.js";
import { DEFAULT_RATE_MULTIPLIER } from "../../src/pricing/rate-multiplier.js";
import { normalizeTokens } from "../../src/pricing/tokens.js";
import { prices, termsOf, tokenCounts } from "./arbitraries.js";

function flat(input: bigint, output: bigint, requestNanoUsd = 0n): PricingTerms {
  const price: Price = {
    tiers: [
      { inputNanoUsdPerMillion: input, outputNanoUsdPerMillion: output, cacheTtlPricing: [] },
    ],
    requestNanoUsd,
  };
  return {
    lookup: { outcome: "PRICED", version: { priceId: `${input}`, model: "m", version: 1n, price } },
    billingType: "PAY_AS_YOU_GO",
    failedRequestBilling: "NONE",
    rateMultiplier: DEFAULT_RATE_MULTIPLIER,
  };
}

describe("estimateCost", () => {
  it("counts all the output and the price per request", () => {
    const terms = flat(3_000_000_000n, 15_000_000_000n, 7n);
    const estimate = { inputTokens: 1_000, maxOutputTokens: 100, cacheReadInputTokens: 1_000 };
    const cost = estimateCost({ estimate }, terms);
    expect(cost.list.totalNanoUsd).to.equal(3_000_000n + 1_500_000n + 300_000n + 7n);
  });

  it("is exactly what the record will cost if it uses what was estimated", () => {
    const counts = fc.record({
      inputTokens: tokenCounts,
      maxOutputTokens: tokenCounts,
      cacheReadInputTokens: tokenCounts,
      cacheCreationInputTokens: tokenCounts,
    });
    fc.assert(
      fc.property(prices.chain(termsOf), counts, (terms, estimate) => {
        const { maxOutputTokens, ...prompt } = estimate;
        const facts = { apiFormat: "CLAUDE", cacheTtlMinutes: 60 };
        const tokens = normalizeTokens({
          ...prompt,
          outputTokens: maxOutputTokens,
          tokenConvention: "CACHE_EXCLUSIVE",
        });
        const recorded = computeCost({ ...facts, terms, tokens, failed: false });
        expect(estimateCost({ estimate, ...facts }, terms)).to.deep.equal(recorded);
      }),
    );
  });

  it("never falls short of a record that answers with less", () => {
    fc.assert(
      fc.property(
        prices.chain(termsOf),
        tokenCounts,
        tokenCounts,
        fc.boolean(),
        (terms, a, b, failed) => {
          const estimate = { inputTokens: 1_000, maxOutputTokens: Math.max(a, b) };
          const tokens = normalizeTokens({ inputTokens: 1_000, outputTokens: Math.min(a, b) });
          const recorded = computeCost({ terms, tokens, failed });
          const estimated = estimateCost({ estimate }, terms);
          expect(estimated.list.totalNanoUsd >= recorded.list.totalNanoUsd).to.equal(true);
          expect(estimated.actual.totalNanoUsd >= recorded.actual.totalNanoUsd).to.equal(true);
        },
      ),
    );
  });

  it("says when there is no price", () => {
    const terms: PricingTerms = { ...flat(1n, 1n), lookup: { outcome: "NO_PRICE" } };
    const cost = estimateCost({ estimate: { inputTokens: 1, maxOutputTokens: 1 } }, terms);
    expect(cost.billingNote).to.equal("NO_PRICE");
    expect(cost.list.totalNanoUsd).to.equal(0n);
  });

  it("refuses counts out of range", () => {
    const estimate = { inputTokens: -1, maxOutputTokens: 1 };
    expect(() => estimateCost({ estimate }, flat(1n, 1n))).to.throw(DomainError, "input_tokens");
  });
});

describe("estimateDearestCost", () => {
  const input = { estimate: { inputTokens: 1_000_000, maxOutputTokens: 1_000_000 } };

  it("takes the terms that cost the most for this estimate", () => {
    const candidates = [flat(1n, 5n), flat(7n, 1n), flat(2n, 5n)];
    expect(estimateDearestCost(input, candidates)?.priceVersion?.priceId).to.equal("7");
    const outputOnly = { estimate: { inputTokens: 0, maxOutputTokens: 1_000_000 } };
    expect(estimateDearestCost(outputOnly, candidates)?.priceVersion?.priceId).to.equal("1");
  });

  it("is undefined without terms", () => {
    expect(estimateDearestCost(input, [])).to.equal(undefined);
  });
});
