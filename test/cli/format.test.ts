import { expect } from "chai";
import fc from "fast-check";
import { formatCount, formatDollars, formatMs, formatName } from "../../src/cli/format.js";

describe("formatCount", () => {
  for (const [count, text] of [
    [0, "0"],
    [999, "999"],
    [1_000, "1,000"],
    [1_234_567, "1,234,567"],
    [-1_234, "-1,234"],
    [2n ** 63n, "9,223,372,036,854,775,808"],
  ] as const) {
    it(`writes ${count} as ${text}`, () => {
      expect(formatCount(count)).to.equal(text);
    });
  }
});

describe("formatDollars", () => {
  for (const [nanoUsd, text] of [
    [0n, "$0.000000000"],
    [1n, "$0.000000001"],
    [-1n, "-$0.000000001"],
    [1_500_000_000n, "$1.500000000"],
    [1_234_567_890_123_456n, "$1,234,567.890123456"],
    [-1_000_000_000_000n, "-$1,000.000000000"],
  ] as const) {
    it(`writes ${nanoUsd} nano-USD as ${text}`, () => {
      expect(formatDollars(nanoUsd)).to.equal(text);
    });
  }

  it("loses nothing: the digits are the amount, for any amount", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (nanoUsd) => {
        expect(BigInt(formatDollars(nanoUsd).replace(/[$,.]/g, ""))).to.equal(nanoUsd);
      }),
    );
  });
});

describe("formatMs and formatName", () => {
  it("write a duration and an enum's name for people", () => {
    expect(formatMs(1.256)).to.equal("1.26 ms");
    expect(formatName("QUOTA_EXCEEDED")).to.equal("quota exceeded");
  });
});
