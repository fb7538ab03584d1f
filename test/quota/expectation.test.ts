import { expect } from "chai";
import { CostOutOfRangeError } from "../../src/pricing/cost-breakdown.js";
import type { PriceVersion } from "../../src/pricing/price.js";
import { createPriceBook } from "../../src/pricing/price-book.js";
import {
  type Expectation,
  type ExpectedSpend,
  expectedSpend,
} from "../../src/quota/expectation.js";

/** Output costs twice the input; prices in nano-USD per million tokens. */
function price(model: string, provider: string, input: bigint): PriceVersion {
  const tier = { inputNanoUsdPerMillion: input, outputNanoUsdPerMillion: 2n * input };
  return {
    priceId: `${model}@${provider}`,
    model,
    ...(provider !== "" && { provider }),
    version: input,
    price: { tiers: [{ ...tier, cacheTtlPricing: [] }], requestNanoUsd: 5n },
  };
}

const pricing = createPriceBook({
  prices: [
    price("m", "", 1_000_000n),
    price("m", "dear", 9_000_000n),
    price("m", "closed", 99_000_000n),
    price("absurd", "", 10n ** 14n),
  ],
  providers: [
    {
      provider: "closed",
      active: false,
      billingType: "PAY_AS_YOU_GO",
      failedRequestBilling: "USAGE",
    },
    { provider: "free", active: true, billingType: "FREE_TIER", failedRequestBilling: "USAGE" },
  ],
  providerKeys: [{ providerKeyId: "half", rateMultiplier: "0.5" }],
});

function spend(fields: Partial<Expectation>): ExpectedSpend {
  const nothing = { costNanoUsd: undefined, estimate: undefined, tokens: undefined };
  const full = {
    model: "m",
    provider: "",
    providerKeyId: "",
    apiFormat: "",
    ...nothing,
    ...fields,
  };
  return expectedSpend(pricing, full, 0);
}

const ESTIMATE = { inputTokens: 100, maxOutputTokens: 10 };

/** The expectation; list cost, actual cost and tokens. */
const CASES: readonly (readonly [string, Partial<Expectation>, bigint, bigint, bigint])[] = [
  ["nothing", {}, 0n, 0n, 0n],
  ["a cost", { costNanoUsd: 7n }, 7n, 7n, 0n],
  ["a cost before an estimate", { costNanoUsd: 7n, estimate: ESTIMATE }, 7n, 7n, 110n],
  ["tokens alone", { tokens: 9n }, 0n, 0n, 9n],
  [
    "tokens before the estimate's",
    { tokens: 9n, estimate: ESTIMATE, provider: "x" },
    125n,
    125n,
    9n,
  ],
  ["an estimate at the global price", { estimate: ESTIMATE, provider: "x" }, 125n, 125n, 110n],
  [
    "an estimate at the provider's price",
    { estimate: ESTIMATE, provider: "dear" },
    1_085n,
    1_085n,
    110n,
  ],
  ["an estimate at a free provider", { estimate: ESTIMATE, provider: "free" }, 125n, 0n, 110n],
  [
    // 100, 20 and 5 halved, each rounded half-even.
    "an estimate with a provider key",
    { estimate: ESTIMATE, provider: "x", providerKeyId: "half" },
    125n,
    62n,
    110n,
  ],
  ["the dearest that it may get, at no provider", { estimate: ESTIMATE }, 1_085n, 1_085n, 110n],
  [
    "cached tokens, which count as tokens",
    {
      provider: "x",
      estimate: { ...ESTIMATE, cacheReadInputTokens: 1_000, cacheCreationInputTokens: 400 },
    },
    100n + 20n + 5n + 100n + 500n,
    100n + 20n + 5n + 100n + 500n,
    1_510n,
  ],
];

describe("expectedSpend", () => {
  for (const [what, fields, listNanoUsd, actualNanoUsd, tokens] of CASES) {
    it(`puts ${what} into amounts`, () => {
      const expected = { listNanoUsd, actualNanoUsd, tokens, isUnpriced: false };
      expect(spend(fields)).to.deep.equal(expected);
    });
  }

  it("says when an estimate has no price", () => {
    for (const fields of [
      { model: "unknown" },
      { model: "unknown", provider: "x" },
      { provider: "closed" },
    ]) {
      const { isUnpriced, listNanoUsd, tokens } = spend({ ...fields, estimate: ESTIMATE });
      expect([isUnpriced, listNanoUsd, tokens], JSON.stringify(fields)).to.deep.equal([
        true,
        0n,
        110n,
      ]);
    }
    expect(spend({ model: "unknown", costNanoUsd: 7n }).isUnpriced).to.equal(false);
    expect(spend({ model: "unknown", tokens: 7n }).isUnpriced).to.equal(false);
  });

  it("refuses an estimate that 64 bits cannot hold", () => {
    const estimate = { inputTokens: 2 ** 40, maxOutputTokens: 0 };
    expect(() => spend({ model: "absurd", estimate })).to.throw(CostOutOfRangeError);
  });
});
