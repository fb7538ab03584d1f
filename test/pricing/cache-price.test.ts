import { expect } from "chai";
import {
  cacheCreationNanoUsdPer20Million,
  cacheReadNanoUsdPer20Million,
} from "../../src/pricing/cache-price.js";
import type { PriceTier } from "../../src/pricing/price.js";

const INPUT = 3_000_000_001n;

const bare: PriceTier = {
  inputNanoUsdPerMillion: INPUT,
  outputNanoUsdPerMillion: 0n,
  cacheTtlPricing: [],
};

const full: PriceTier = {
  ...bare,
  cacheCreationNanoUsdPerMillion: 111n,
  cacheReadNanoUsdPerMillion: 222n,
  cacheTtlPricing: [
    { ttlMinutes: 5, cacheCreationNanoUsdPerMillion: 5n, cacheReadNanoUsdPerMillion: 50n },
    { ttlMinutes: 60, cacheCreationNanoUsdPerMillion: 60n },
    { ttlMinutes: 120, cacheReadNanoUsdPerMillion: 1_200n },
  ],
};

describe("cacheCreationNanoUsdPer20Million", () => {
  it("falls back to exactly 1.25 x input", () => {
    expect(cacheCreationNanoUsdPer20Million(bare, undefined) * 4n).to.equal(INPUT * 20n * 5n);
    expect(cacheCreationNanoUsdPer20Million(bare, 5) * 4n).to.equal(INPUT * 20n * 5n);
  });

  it("takes a price of zero as a price", () => {
    const free = { ...bare, cacheCreationNanoUsdPerMillion: 0n };
    expect(cacheCreationNanoUsdPer20Million(free, undefined)).to.equal(0n);
  });

  const perMillion: [ttlMinutes: number | undefined, expected: bigint][] = [
    [undefined, 111n],
    [1, 5n],
    [4, 5n],
    [5, 5n],
    [6, 60n],
    [59, 60n],
    [60, 60n],
    [61, 111n],
    [120, 111n],
    [121, 111n],
    [525_600, 111n],
  ];
  for (const [ttlMinutes, expected] of perMillion) {
    it(`is ${expected} per million for a time to live of ${ttlMinutes ?? "nothing"}`, () => {
      expect(cacheCreationNanoUsdPer20Million(full, ttlMinutes)).to.equal(expected * 20n);
    });
  }
});

describe("cacheReadNanoUsdPer20Million", () => {
  it("falls back to exactly 0.1 x input", () => {
    expect(cacheReadNanoUsdPer20Million(bare, undefined) * 10n).to.equal(INPUT * 20n);
    expect(cacheReadNanoUsdPer20Million(bare, 60) * 10n).to.equal(INPUT * 20n);
  });

  const perMillion: [ttlMinutes: number | undefined, expected: bigint][] = [
    [undefined, 222n],
    [5, 50n],
    [6, 222n],
    [60, 222n],
    [61, 1_200n],
    [120, 1_200n],
    [121, 1_200n],
  ];
  for (const [ttlMinutes, expected] of perMillion) {
    it(`is ${expected} per million for a time to live of ${ttlMinutes ?? "nothing"}`, () => {
      expect(cacheReadNanoUsdPer20Million(full, ttlMinutes)).to.equal(expected * 20n);
    });
  }
});
