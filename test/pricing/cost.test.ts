import { expect } from "chai";
import { type CostInput, computeCost } from "../../src/pricing/cost.js";
import { CostOutOfRangeError, ZERO_COST } from "../../src/pricing/cost-breakdown.js";
import type { Price } from "../../src/pricing/price.js";
import type { PricingTerms } from "../../src/pricing/pricing-terms.js";
import { parseRateMultiplier } from "../../src/pricing/rate-multiplier.js";
import { MAX_TOKENS, type ReportedTokens } from "../../src/pricing/tokens.js";
import { inputWith, TYPICAL, TYPICAL_COST, termsWith } from "./cost-fixture.js";

describe("computeCost", () => {
  it("prices each part and tells what it applied", () => {
    const cost = computeCost(inputWith(TYPICAL));
    expect(cost.list).to.deep.equal(TYPICAL_COST);
    expect(cost.actual).to.deep.equal(TYPICAL_COST);
    expect(cost.rateMultiplier).to.equal("1");
    expect(cost.priceVersion?.version).to.equal(7n);
    expect(cost.tierIndex).to.equal(0);
    expect(cost.billingNote).to.equal("NONE");
    expect(cost.failedRequestBilling).to.equal(undefined);
  });

  it("charges the price per request even without tokens", () => {
    expect(computeCost(inputWith({})).list).to.deep.equal({
      ...ZERO_COST,
      requestNanoUsd: 1_000_000n,
      totalNanoUsd: 1_000_000n,
    });
  });

  describe("tiers", () => {
    const tierOf = (reported: Partial<ReportedTokens>, change?: Partial<CostInput>) =>
      computeCost(inputWith(reported, change)).tierIndex;

    it("keeps the whole request in a tier up to its border and leaves it one token above", () => {
      expect(tierOf({ inputTokens: 200_000 })).to.equal(0);
      expect(tierOf({ inputTokens: 200_001 })).to.equal(1);
      const above = computeCost(inputWith({ inputTokens: 200_001, outputTokens: 1_000_000 }));
      expect(above.list.inputNanoUsd).to.equal(1_200_006_000n);
      expect(above.list.outputNanoUsd).to.equal(22_500_000_000n);
    });

    it("counts cache reads as context, but output never", () => {
      const reported = { inputTokens: 100_000, cacheReadInputTokens: 100_000 };
      expect(tierOf({ ...reported, outputTokens: MAX_TOKENS })).to.equal(0);
      expect(tierOf({ ...reported, inputTokens: 100_001 })).to.equal(1);
    });

    it("counts cache writes as context for CLAUDE formats only", () => {
      const reported = { inputTokens: 150_000, cacheCreationInputTokens: 50_001 };
      expect(tierOf(reported, { apiFormat: "OPENAI" })).to.equal(0);
      expect(tierOf(reported)).to.equal(0);
      expect(tierOf(reported, { apiFormat: "CLAUDE" })).to.equal(1);
      expect(tierOf(reported, { apiFormat: "claude_cli" })).to.equal(1);
      const onBorder = { ...reported, cacheCreationInputTokens: 50_000 };
      expect(tierOf(onBorder, { apiFormat: "CLAUDE" })).to.equal(0);
    });

    it("takes the first tier when tiered pricing is off", () => {
      const change = { useTieredPricing: false };
      expect(tierOf({ inputTokens: 1_000_000 }, change)).to.equal(0);
      expect(tierOf({ inputTokens: 1_000_000 }, { useTieredPricing: true })).to.equal(1);
    });
  });

  describe("cache", () => {
    const creationOf = (reported: Partial<ReportedTokens>, change?: Partial<CostInput>) =>
      computeCost(inputWith(reported, change)).list.cacheCreationNanoUsd;

    it("prices writes by the request's time to live", () => {
      const reported = { cacheCreationInputTokens: 1_000_000 };
      expect(creationOf(reported, { cacheTtlMinutes: 5 })).to.equal(3_750_000_000n);
      expect(creationOf(reported, { cacheTtlMinutes: 6 })).to.equal(6_000_000_000n);
      expect(creationOf(reported, { cacheTtlMinutes: 600 })).to.equal(6_000_000_000n);
    });

    it("prices each portion by its own time to live, whatever the request's", () => {
      const cacheCreations = [
        { ttlMinutes: 5, tokens: 1_000_000 },
        { ttlMinutes: 60, tokens: 1_000_000 },
      ];
      expect(creationOf({ cacheCreations }, { cacheTtlMinutes: 5 })).to.equal(9_750_000_000n);
    });

    it("combines portions with the tier of the whole request", () => {
      const cacheCreations = [{ ttlMinutes: 60, tokens: 200_001 }];
      // The upper tier has no cache prices: 1.25 x $6.
      const expected = 200_001n * 7_500n;
      expect(creationOf({ cacheCreations }, { apiFormat: "CLAUDE" })).to.equal(expected);
    });

    it("rounds a part once, not portion by portion", () => {
      const price: Price = {
        tiers: [
          {
            inputNanoUsdPerMillion: 0n,
            outputNanoUsdPerMillion: 0n,
            cacheCreationNanoUsdPerMillion: 400_000n,
            cacheTtlPricing: [],
          },
        ],
      };
      const cacheCreations = [1, 2, 3].map((ttlMinutes) => ({ ttlMinutes, tokens: 1 }));
      // 3 x 0.4 nano-USD are 1.2; rounded one by one they would be 0.
      expect(creationOf({ cacheCreations }, { terms: termsWith(price) })).to.equal(1n);
    });

    it("does not round the derived price before the part", () => {
      const price: Price = {
        tiers: [{ inputNanoUsdPerMillion: 1n, outputNanoUsdPerMillion: 0n, cacheTtlPricing: [] }],
      };
      const cost = computeCost(
        inputWith(
          { cacheCreationInputTokens: 4_000_000, cacheReadInputTokens: 30_000_000 },
          { terms: termsWith(price) },
        ),
      );
      expect(cost.list.cacheCreationNanoUsd).to.equal(5n);
      expect(cost.list.cacheReadNanoUsd).to.equal(3n);
    });
  });

  it("rounds ties half to even, part by part", () => {
    const price: Price = {
      tiers: [
        {
          inputNanoUsdPerMillion: 500_000n,
          outputNanoUsdPerMillion: 1_500_000n,
          cacheCreationNanoUsdPerMillion: 2_500_000n,
          cacheReadNanoUsdPerMillion: 3_500_000n,
          cacheTtlPricing: [],
        },
      ],
    };
    const one = {
      inputTokens: 1,
      outputTokens: 1,
      cacheCreationInputTokens: 1,
      cacheReadInputTokens: 1,
    };
    // 0.5, 1.5, 2.5 and 3.5 nano-USD.
    expect(computeCost(inputWith(one, { terms: termsWith(price) })).list).to.deep.equal({
      inputNanoUsd: 0n,
      outputNanoUsd: 2n,
      cacheCreationNanoUsd: 2n,
      cacheReadNanoUsd: 4n,
      cacheNanoUsd: 6n,
      requestNanoUsd: 0n,
      totalNanoUsd: 8n,
    });
  });

  describe("huge requests", () => {
    const huge = {
      inputTokens: MAX_TOKENS,
      outputTokens: MAX_TOKENS,
      cacheCreationInputTokens: MAX_TOKENS,
      cacheReadInputTokens: MAX_TOKENS,
    };
    const flat = (nanoUsdPerMillion: bigint): PricingTerms =>
      termsWith({
        tiers: [
          {
            inputNanoUsdPerMillion: nanoUsdPerMillion,
            outputNanoUsdPerMillion: nanoUsdPerMillion,
            cacheCreationNanoUsdPerMillion: nanoUsdPerMillion,
            cacheReadNanoUsdPerMillion: nanoUsdPerMillion,
            cacheTtlPricing: [],
          },
        ],
      });

    it("are exact at 2^40 tokens of each kind and $600 per million", () => {
      const cost = computeCost(inputWith(huge, { terms: flat(600_000_000_000n) }));
      // 2^40 x 600,000 nano-USD a token.
      expect(cost.list.inputNanoUsd).to.equal(659_706_976_665_600_000n);
      expect(cost.list.totalNanoUsd).to.equal(2_638_827_906_662_400_000n);
    });

    it("are refused where the total passes 64 bits, in list or actual cost", () => {
      const tooDear = inputWith(huge, { terms: flat(1_000_000_000_000_000n) });
      expect(() => computeCost(tooDear)).to.throw(CostOutOfRangeError, "9223372036854775807");
      const rateMultiplier = parseRateMultiplier("10");
      const multiplied = inputWith(huge, {
        terms: { ...flat(600_000_000_000n), rateMultiplier },
      });
      expect(() => computeCost(multiplied)).to.throw(CostOutOfRangeError);
    });
  });
});
