import { expect } from "chai";
import { DecimalError } from "../../src/pricing/money.js";
import { DEFAULT_RATE_MULTIPLIER, parseRateMultiplier } from "../../src/pricing/rate-multiplier.js";

describe("parseRateMultiplier", () => {
  const samples: [text: string, canonical: string, scaled: bigint][] = [
    ["1", "1", 1_000_000_000n],
    ["1.000", "1", 1_000_000_000n],
    ["0.850", "0.85", 850_000_000n],
    ["0", "0", 0n],
    ["0.000000001", "0.000000001", 1n],
    ["1000", "1000", 1_000_000_000_000n],
    ["8.5e-1", "0.85", 850_000_000n],
  ];
  for (const [text, canonical, scaled] of samples) {
    it(`reads ${text} as ${canonical}`, () => {
      expect(parseRateMultiplier(text)).to.deep.equal({ text: canonical, scaled });
    });
  }

  for (const text of ["", "-0.1", "1000.000000001", "0.0000000001", "one", "1e9"]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseRateMultiplier(text)).to.throw(DecimalError);
    });
  }

  it("has 1 for its default", () => {
    expect(parseRateMultiplier("1")).to.deep.equal(DEFAULT_RATE_MULTIPLIER);
  });
});
