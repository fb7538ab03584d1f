import { expect } from "chai";
import { isFailedRequest } from "../../src/pricing/billing-note.js";
import { computeCost } from "../../src/pricing/cost.js";
import { ZERO_COST } from "../../src/pricing/cost-breakdown.js";
import type { Price } from "../../src/pricing/price.js";
import type { PricingTerms } from "../../src/pricing/pricing-terms.js";
import { parseRateMultiplier } from "../../src/pricing/rate-multiplier.js";
import { inputWith, PRICE, TYPICAL, TYPICAL_COST, termsWith } from "./cost-fixture.js";

describe("computeCost, by the rules of billing", () => {
  describe("failed requests", () => {
    const rules = [
      ["USAGE", "FAILED_REQUEST_USAGE", 3_000_000n, 7_500_000n, 10_500_000n],
      ["PROMPT_ONLY", "FAILED_REQUEST_PROMPT_ONLY", 3_000_000n, 0n, 10_500_000n],
      ["NONE", "FAILED_REQUEST_NOT_BILLED", 0n, 0n, 0n],
    ] as const;
    for (const [rule, note, input, output, cache] of rules) {
      it(`pay by ${rule}, never the price per request`, () => {
        const terms = termsWith(PRICE, { failedRequestBilling: rule });
        const cost = computeCost(inputWith(TYPICAL, { terms, failed: true }));
        expect(cost.list.inputNanoUsd).to.equal(input);
        expect(cost.list.outputNanoUsd).to.equal(output);
        expect(cost.list.cacheNanoUsd).to.equal(cache);
        expect(cost.list.requestNanoUsd).to.equal(0n);
        expect(cost.list.totalNanoUsd).to.equal(input + output + cache);
        expect(cost.actual).to.deep.equal(cost.list);
        expect(cost.billingNote).to.equal(note);
        expect(cost.failedRequestBilling).to.equal(rule);
        expect(cost.tierIndex).to.equal(0);
      });

      it(`leave requests that do not fail alone under ${rule}`, () => {
        const terms = termsWith(PRICE, { failedRequestBilling: rule });
        const cost = computeCost(inputWith(TYPICAL, { terms }));
        expect(cost.list).to.deep.equal(TYPICAL_COST);
        expect(cost.failedRequestBilling).to.equal(undefined);
      });
    }
  });

  describe("actual cost", () => {
    it("is the list cost times the multiplier, each part rounded half to even", () => {
      const price: Price = {
        tiers: [
          {
            inputNanoUsdPerMillion: 1_000_000n,
            outputNanoUsdPerMillion: 3_000_000n,
            cacheTtlPricing: [],
          },
        ],
        requestNanoUsd: 5n,
      };
      const terms = termsWith(price, { rateMultiplier: parseRateMultiplier("0.50") });
      const cost = computeCost(inputWith({ inputTokens: 1, outputTokens: 1 }, { terms }));
      expect(cost.list.totalNanoUsd).to.equal(9n);
      // 0.5, 1.5 and 2.5 nano-USD; the total is the sum of the parts, not 4.5.
      expect(cost.actual.inputNanoUsd).to.equal(0n);
      expect(cost.actual.outputNanoUsd).to.equal(2n);
      expect(cost.actual.requestNanoUsd).to.equal(2n);
      expect(cost.actual.totalNanoUsd).to.equal(4n);
      expect(cost.rateMultiplier).to.equal("0.5");
    });

    it("is nothing with a multiplier of zero", () => {
      const terms = termsWith(PRICE, { rateMultiplier: parseRateMultiplier("0") });
      const cost = computeCost(inputWith(TYPICAL, { terms }));
      expect(cost.actual).to.deep.equal(ZERO_COST);
      expect(cost.list).to.deep.equal(TYPICAL_COST);
    });

    it("is nothing at a free tier, whose list cost stays", () => {
      const rateMultiplier = parseRateMultiplier("2");
      const terms = termsWith(PRICE, { billingType: "FREE_TIER", rateMultiplier });
      const cost = computeCost(inputWith(TYPICAL, { terms }));
      expect(cost.list).to.deep.equal(TYPICAL_COST);
      expect(cost.actual).to.deep.equal(ZERO_COST);
      expect(cost.billingNote).to.equal("FREE_TIER");
      expect(cost.rateMultiplier).to.equal("2");
    });
  });

  for (const outcome of ["NO_PRICE", "MODEL_INACTIVE", "PROVIDER_INACTIVE"] as const) {
    it(`costs nothing and says why: ${outcome}`, () => {
      const terms = termsWith(PRICE, { lookup: { outcome } });
      for (const failed of [false, true]) {
        const cost = computeCost(inputWith(TYPICAL, { terms, failed }));
        expect(cost.list).to.deep.equal(ZERO_COST);
        expect(cost.actual).to.deep.equal(ZERO_COST);
        expect(cost.priceVersion).to.equal(undefined);
        expect(cost.tierIndex).to.equal(undefined);
        expect(cost.billingNote).to.equal(outcome);
      }
    });
  }

  it("tells that note of several which leaves the least to pay", () => {
    const noteOf = (change: Partial<PricingTerms>) =>
      computeCost(inputWith(TYPICAL, { terms: termsWith(PRICE, change), failed: true }))
        .billingNote;
    const billingType = "FREE_TIER";
    expect(noteOf({ billingType, lookup: { outcome: "NO_PRICE" } })).to.equal("NO_PRICE");
    expect(noteOf({ billingType, failedRequestBilling: "NONE" })).to.equal(
      "FAILED_REQUEST_NOT_BILLED",
    );
    expect(noteOf({ billingType, failedRequestBilling: "PROMPT_ONLY" })).to.equal("FREE_TIER");
    expect(noteOf({ billingType, failedRequestBilling: "USAGE" })).to.equal("FREE_TIER");
  });
});

describe("isFailedRequest", () => {
  const cases: [statusCode: number, errorMessage: string | undefined, failed: boolean][] = [
    [200, undefined, false],
    [200, "", false],
    [399, undefined, false],
    [400, undefined, true],
    [599, "", true],
    [200, "stream cut", true],
  ];
  for (const [statusCode, errorMessage, failed] of cases) {
    it(`is ${failed} for ${statusCode} and message ${JSON.stringify(errorMessage)}`, () => {
      expect(isFailedRequest(statusCode, errorMessage)).to.equal(failed);
    });
  }
});
