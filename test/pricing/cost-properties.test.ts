import { expect } from "chai";
import fc from "fast-check";
import { computeCost } from "../../src/pricing/cost.js";
import type { CostBreakdown } from "../../src/pricing/cost-breakdown.js";
import { MAX_TOKENS, normalizeTokens } from "../../src/pricing/tokens.js";
import { costInputs, exclusiveTokens, prices, termsOf } from "./arbitraries.js";
import { priceOnPaper, tierOnPaper } from "./cost-oracle.js";

describe("computeCost, for any price, tokens and terms", () => {
  it("agrees with the price on paper", () => {
    fc.assert(
      fc.property(costInputs, (input) => {
        const cost = computeCost(input);
        const expected = priceOnPaper(input);
        expect(cost.list).to.deep.equal(expected.list);
        expect(cost.actual).to.deep.equal(expected.actual);
        expect(cost.tierIndex).to.equal(tierOnPaper(input));
      }),
      { numRuns: 2_000 },
    );
  });

  it("adds up", () => {
    const expectSums = (cost: CostBreakdown) => {
      expect(cost.cacheNanoUsd).to.equal(cost.cacheCreationNanoUsd + cost.cacheReadNanoUsd);
      const { inputNanoUsd, outputNanoUsd, cacheNanoUsd, requestNanoUsd } = cost;
      const sum = inputNanoUsd + outputNanoUsd + cacheNanoUsd + requestNanoUsd;
      expect(cost.totalNanoUsd).to.equal(sum);
    };
    fc.assert(
      fc.property(costInputs, (input) => {
        const { list, actual } = computeCost(input);
        expectSums(list);
        expectSums(actual);
      }),
    );
  });

  it("costs the same whether input was counted with cached tokens or without", () => {
    const cases = fc.tuple(prices.chain(termsOf), exclusiveTokens);
    fc.assert(
      fc.property(cases, ([terms, exclusive]) => {
        const tokens = normalizeTokens(exclusive);
        const inputTokens = tokens.totalTokens - tokens.outputTokens;
        fc.pre(inputTokens <= MAX_TOKENS);
        const inclusive = normalizeTokens({
          ...exclusive,
          inputTokens,
          tokenConvention: "CACHE_INCLUSIVE",
        });
        const costs = [tokens, inclusive].map((counts) =>
          computeCost({ terms, tokens: counts, failed: false }),
        );
        expect(costs[1]).to.deep.equal(costs[0]);
      }),
    );
  });

  it("changes tier exactly above each border", () => {
    const cases = prices.chain((price) => fc.tuple(fc.constant(price), termsOf(price)));
    fc.assert(
      fc.property(cases, ([{ tiers }, terms]) => {
        const tierOf = (inputTokens: number) => {
          const tokens = normalizeTokens({ inputTokens, outputTokens: 0 });
          return computeCost({ terms, tokens, failed: false }).tierIndex;
        };
        tiers.forEach(({ upToTokens }, index) => {
          if (upToTokens === undefined || upToTokens > MAX_TOKENS) return;
          expect(tierOf(upToTokens)).to.equal(index);
          if (upToTokens === MAX_TOKENS) return;
          expect(tierOf(upToTokens + 1)).to.equal(Math.min(index + 1, tiers.length - 1));
        });
      }),
    );
  });
});
