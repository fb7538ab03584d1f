import { expect } from "chai";
import fc from "fast-check";
import type { Price } from "../../src/pricing/price.js";
import { formatPriceJson, PriceFormatError, parsePriceJson } from "../../src/pricing/price-json.js";
import { prices } from "./arbitraries.js";

const TIERED: Price = {
  tiers: [
    {
      upToTokens: 200_000,
      inputNanoUsdPerMillion: 3_000_000_000n,
      outputNanoUsdPerMillion: 15_000_000_000n,
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
  requestNanoUsd: 5_000_000n,
};

describe("formatPriceJson", () => {
  it("writes the contract's names, amounts as strings, nothing that is unset", () => {
    expect(JSON.parse(formatPriceJson(TIERED))).to.deep.equal({
      tiers: [
        {
          up_to_tokens: 200_000,
          input_nano_usd_per_million: "3000000000",
          output_nano_usd_per_million: "15000000000",
          cache_read_nano_usd_per_million: "300000000",
          cache_ttl_pricing: [
            { ttl_minutes: 5, cache_creation_nano_usd_per_million: "3750000000" },
            { ttl_minutes: 60, cache_creation_nano_usd_per_million: "6000000000" },
          ],
        },
        {
          input_nano_usd_per_million: "6000000000",
          output_nano_usd_per_million: "22500000000",
        },
      ],
      request_nano_usd: "5000000",
    });
  });

  it("is read back as the same price", () => {
    fc.assert(
      fc.property(prices, (price) => {
        expect(parsePriceJson(JSON.parse(formatPriceJson(price)))).to.deep.equal(price);
      }),
    );
  });

  it("writes a price that it has written before the same", () => {
    expect(formatPriceJson(TIERED)).to.equal(formatPriceJson(structuredClone(TIERED)));
    expect(formatPriceJson(TIERED)).to.equal(formatPriceJson(TIERED));
  });
});

describe("parsePriceJson", () => {
  const tier = { input_nano_usd_per_million: "1", output_nano_usd_per_million: "2" };
  const withTier = (change: object) => ({ tiers: [{ ...tier, ...change }] });

  it("takes a flat price", () => {
    expect(parsePriceJson({ tiers: [tier] })).to.deep.equal({
      tiers: [{ inputNanoUsdPerMillion: 1n, outputNanoUsdPerMillion: 2n, cacheTtlPricing: [] }],
    });
  });

  const ttl = (...minutes: number[]) => ({
    cache_ttl_pricing: minutes.map((ttl_minutes) => ({ ttl_minutes })),
  });
  const bounded = (...borders: unknown[]) => ({
    tiers: borders.map((up_to_tokens) => ({ ...tier, up_to_tokens })),
  });
  const refused: [what: string, json: unknown, message: string][] = [
    ["null", null, "price: must be an object"],
    ["a list", [], "price: must be an object"],
    ["no tiers", {}, "tiers: must be a list"],
    ["empty tiers", { tiers: [] }, "tiers: must have 1 to 16 entries (was 0)"],
    [
      "17 tiers",
      bounded(...Array.from({ length: 17 }, (_, i) => i + 1)),
      "1 to 16 entries (was 17)",
    ],
    ["a tier that is no object", { tiers: ["1"] }, "tiers[0]: must be an object"],
    ["an unknown field", { tiers: [tier], extra: 1 }, 'price: unknown field "extra"'],
    ["an unknown field of a tier", withTier({ a: 1 }), 'tiers[0]: unknown field "a"'],
    ["__proto__", JSON.parse('{"__proto__": {"tiers": []}}'), 'unknown field "__proto__"'],
    [
      "a price without input",
      { tiers: [{ output_nano_usd_per_million: "1" }] },
      "input_nano_usd_per_million: is required",
    ],
    [
      "a number for an amount",
      withTier({ input_nano_usd_per_million: 1 }),
      "must be a whole number as a string",
    ],
    [
      "a fraction for an amount",
      withTier({ input_nano_usd_per_million: "1.5" }),
      "must be a whole number as a string",
    ],
    [
      "a negative amount",
      withTier({ output_nano_usd_per_million: "-1" }),
      "tiers[0].output_nano_usd_per_million: must be 0 to 1000000000000000 (was -1)",
    ],
    [
      "an amount above the bound",
      withTier({ cache_read_nano_usd_per_million: "1000000000000001" }),
      "tiers[0].cache_read_nano_usd_per_million: must be 0 to",
    ],
    [
      "a negative request price",
      { tiers: [tier], request_nano_usd: "-1" },
      "request_nano_usd: must be 0 to",
    ],
    ["a text for a border", bounded("5"), "tiers[0].up_to_tokens: must be a number"],
    ["a border of zero", bounded(0), "tiers[0].up_to_tokens: must be a whole number from 1 to"],
    [
      "a border that is no whole number",
      bounded(1.5),
      "tiers[0].up_to_tokens: must be a whole number",
    ],
    ["a border above 2^42", bounded(2 ** 42 + 1), "tiers[0].up_to_tokens: must be a whole number"],
    [
      "equal borders",
      bounded(5, 5),
      "tiers[1].up_to_tokens: must be above that of the tier before, 5 (was 5)",
    ],
    ["falling borders", bounded(5, 4), "tiers[1].up_to_tokens: must be above"],
    [
      "an open tier before the last",
      bounded(undefined, 5),
      "tiers[0].up_to_tokens: is required for all tiers but the last",
    ],
    [
      "an entry without time to live",
      withTier({ cache_ttl_pricing: [{}] }),
      "cache_ttl_pricing[0].ttl_minutes: is required",
    ],
    [
      "a time to live of zero",
      withTier(ttl(0)),
      "cache_ttl_pricing[0].ttl_minutes: must be a whole number from 1",
    ],
    [
      "a time to live above a year",
      withTier(ttl(525_601)),
      "cache_ttl_pricing[0].ttl_minutes: must be",
    ],
    [
      "equal times to live",
      withTier(ttl(5, 5)),
      "cache_ttl_pricing[1].ttl_minutes: must be above that of the entry before, 5 (was 5)",
    ],
    [
      "nine times to live",
      withTier(ttl(1, 2, 3, 4, 5, 6, 7, 8, 9)),
      "cache_ttl_pricing: must have 0 to 8 entries",
    ],
    [
      "a price of an entry above the bound",
      withTier({
        cache_ttl_pricing: [
          { ttl_minutes: 1, cache_creation_nano_usd_per_million: "9999999999999999" },
        ],
      }),
      "cache_ttl_pricing[0].cache_creation_nano_usd_per_million",
    ],
  ];
  for (const [what, json, message] of refused) {
    it(`refuses ${what}`, () => {
      expect(() => parsePriceJson(json)).to.throw(PriceFormatError, message);
    });
  }

  it("names every broken rule at once", () => {
    const json = { tiers: [{ ...tier, up_to_tokens: 0 }], request_nano_usd: "-1" };
    expect(() => parsePriceJson(json)).to.throw(/up_to_tokens: .*; request_nano_usd: /);
  });
});
