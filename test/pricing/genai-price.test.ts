import type { ModelPrice } from "@pydantic/genai-prices";
import { expect } from "chai";
import { convertGenaiPrice } from "../../src/pricing/genai-price.js";

describe("convertGenaiPrice", () => {
  it("reads dollars per million tokens as nano-USD, digit by digit", () => {
    // As floats 0.07 * 1e9 and 1.1 * 1e9 are no whole numbers.
    const { price, rounded } = convertGenaiPrice({
      input_mtok: 0.07,
      output_mtok: 1.1,
      cache_write_mtok: 0.000000001,
      cache_read_mtok: 1e-7,
    });
    expect(price).to.deep.equal({
      tiers: [
        {
          inputNanoUsdPerMillion: 70_000_000n,
          outputNanoUsdPerMillion: 1_100_000_000n,
          cacheCreationNanoUsdPerMillion: 1n,
          cacheReadNanoUsdPerMillion: 100n,
          cacheTtlPricing: [],
        },
      ],
    });
    expect(rounded).to.deep.equal([]);
  });

  it("makes the tier under a step end exactly at the step's start", () => {
    const { price } = convertGenaiPrice({
      input_mtok: { base: 3, tiers: [{ start: 200_000, price: 6 }] },
      output_mtok: { base: 15, tiers: [{ start: 200_000, price: 22.5 }] },
    });
    expect(price?.tiers).to.deep.equal([
      {
        upToTokens: 200_000,
        inputNanoUsdPerMillion: 3_000_000_000n,
        outputNanoUsdPerMillion: 15_000_000_000n,
        cacheTtlPricing: [],
      },
      {
        inputNanoUsdPerMillion: 6_000_000_000n,
        outputNanoUsdPerMillion: 22_500_000_000n,
        cacheTtlPricing: [],
      },
    ]);
  });

  it("merges the steps of units that step at different places, in any order", () => {
    const { price } = convertGenaiPrice({
      input_mtok: {
        base: 1,
        tiers: [
          { start: 300, price: 3 },
          { start: 100, price: 2 },
        ],
      },
      output_mtok: {
        base: 10,
        tiers: [
          { start: 200, price: 20 },
          { start: 300, price: 30 },
        ],
      },
    });
    const table = price?.tiers.map((tier) => [
      tier.upToTokens,
      tier.inputNanoUsdPerMillion / 1_000_000_000n,
      tier.outputNanoUsdPerMillion / 1_000_000_000n,
    ]);
    expect(table).to.deep.equal([
      [100, 1n, 10n],
      [200, 2n, 10n],
      [300, 2n, 20n],
      [undefined, 3n, 30n],
    ]);
  });

  it("makes entries by time to live of the five-minute and the one-hour cache write prices", () => {
    const { price } = convertGenaiPrice({
      input_mtok: 3,
      output_mtok: 15,
      cache_write_mtok: 3.75,
      cache_write_1h_mtok: 6,
    });
    expect(price?.tiers[0]?.cacheCreationNanoUsdPerMillion).to.equal(3_750_000_000n);
    expect(price?.tiers[0]?.cacheTtlPricing).to.deep.equal([
      { ttlMinutes: 5, cacheCreationNanoUsdPerMillion: 3_750_000_000n },
      { ttlMinutes: 60, cacheCreationNanoUsdPerMillion: 6_000_000_000n },
    ]);
  });

  it("reads a price per thousand requests as nano-USD a request", () => {
    const { price } = convertGenaiPrice({ input_mtok: 1, output_mtok: 1, requests_kcount: 12 });
    expect(price?.requestNanoUsd).to.equal(12_000_000n);
  });

  it("takes output without a price as free", () => {
    const { price } = convertGenaiPrice({ input_mtok: 0.02 });
    expect(price?.tiers[0]?.outputNanoUsdPerMillion).to.equal(0n);
  });

  it("rounds what has more digits to the nearest, and tells", () => {
    const { price, rounded } = convertGenaiPrice({
      input_mtok: 0.18000000000000002,
      output_mtok: 0.08333333333333334,
      cache_read_mtok: 0.0000000005,
    });
    expect(price?.tiers[0]?.inputNanoUsdPerMillion).to.equal(180_000_000n);
    expect(rounded).to.deep.equal([
      { unit: "cache_read_mtok", text: "5e-10", nanoUsd: 0n },
      { unit: "input_mtok", text: "0.18000000000000002", nanoUsd: 180_000_000n },
      { unit: "output_mtok", text: "0.08333333333333334", nanoUsd: 83_333_333n },
    ]);
  });

  it("leaves out units that it does not know, and tells", () => {
    const { price, unconverted } = convertGenaiPrice({
      input_mtok: 1,
      output_mtok: 2,
      input_audio_mtok: 3,
      web_searches_kcount: 10,
    });
    expect(price?.tiers).to.have.length(1);
    expect(unconverted).to.deep.equal([
      { reason: "UNSUPPORTED_UNIT", detail: "input_audio_mtok" },
      { reason: "UNSUPPORTED_UNIT", detail: "web_searches_kcount" },
    ]);
  });

  const steppedRequests = { base: 1, tiers: [{ start: 1, price: 2 }] };
  const steppedAtZero = { base: 1, tiers: [{ start: 0, price: 2 }] };
  const refused: [what: string, prices: ModelPrice, reason: string][] = [
    ["no price at all", {}, "NO_PRICES"],
    ["unset prices", { input_mtok: undefined }, "NO_PRICES"],
    ["no price for tokens", { audio_hours: 1 }, "NO_TOKEN_PRICE"],
    ["a negative price", { input_mtok: -1 }, "INVALID"],
    ["a price above the bound", { input_mtok: 1_000_001 }, "INVALID"],
    ["a step at zero", { input_mtok: steppedAtZero }, "INVALID"],
  ];
  for (const [what, prices, reason] of refused) {
    it(`refuses ${what}`, () => {
      const { price, unconverted } = convertGenaiPrice(prices);
      expect(price).to.equal(undefined);
      expect(unconverted.map((skip) => skip.reason)).to.deep.equal([reason]);
    });
  }

  it("leaves out a price per request that depends on the tokens, and tells", () => {
    const prices = { input_mtok: 1, requests_kcount: steppedRequests };
    const { price, unconverted } = convertGenaiPrice(prices);
    expect(price).to.not.have.property("requestNanoUsd");
    expect(unconverted).to.deep.equal([{ reason: "UNSUPPORTED_UNIT", detail: "requests_kcount" }]);
  });
});
