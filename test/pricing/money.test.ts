import { expect } from "chai";
import fc from "fast-check";
import {
  DecimalError,
  divideHalfEven,
  formatScaled,
  formatUsd,
  parseDecimalToScaled,
} from "../../src/pricing/money.js";
import { roundOnPaper } from "./cost-oracle.js";

describe("parseDecimalToScaled", () => {
  const exact: [text: string, scale: number, expected: bigint][] = [
    ["0", 9, 0n],
    ["3", 9, 3_000_000_000n],
    ["-0.15", 9, -150_000_000n],
    ["+2.5", 1, 25n],
    ["0.003625", 9, 3_625_000n],
    ["1.5e-07", 9, 150n],
    ["1.5E+3", 0, 1_500n],
    ["1e21", 0, 10n ** 21n],
    ["5e-324", 324, 5n],
    ["10.500", 1, 105n],
    ["007", 2, 700n],
  ];
  for (const [text, scale, expected] of exact) {
    it(`reads ${text} at scale ${scale} as ${expected}`, () => {
      expect(parseDecimalToScaled(text, scale)).to.equal(expected);
    });
  }

  const refused = [
    "",
    " 1",
    "1 ",
    ".5",
    "1.",
    "1e",
    "1e1000",
    "0x10",
    "1,5",
    "NaN",
    "Infinity",
    "--1",
    "١",
  ];
  for (const text of [...refused, "1".repeat(101)]) {
    it(`refuses ${JSON.stringify(text.slice(0, 20))}`, () => {
      expect(() => parseDecimalToScaled(text, 9)).to.throw(DecimalError, "not a decimal number");
    });
  }

  it("names what it refuses in ASCII", () => {
    expect(() => parseDecimalToScaled("1\ud800\u00e9\n", 9)).to.throw(
      'not a decimal number: "1\\ud800\\u00e9\\n"',
    );
  });

  it("refuses digits beyond the scale unless rounding is asked for", () => {
    expect(() => parseDecimalToScaled("0.0000000001", 9)).to.throw(
      DecimalError,
      "9 decimal places",
    );
    expect(() => parseDecimalToScaled("1e-10", 9)).to.throw(DecimalError);
  });

  it("rounds half to even when asked to", () => {
    const texts = ["0.5", "1.5", "2.5", "2.51", "2.49", "-0.5", "-1.5", "-2.5"];
    const rounded = texts.map((text) => parseDecimalToScaled(text, 0, "half-even"));
    expect(rounded).to.deep.equal([0n, 2n, 2n, 3n, 2n, 0n, -2n, -2n]);
  });

  it("reads the shortest text of any double back to that double", () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = String(value);
        const scaled = parseDecimalToScaled(text, 400);
        expect(Number(formatScaled(scaled, 400))).to.equal(value === 0 ? 0 : value);
      }),
    );
  });
});

describe("divideHalfEven", () => {
  it("rounds ties to the even neighbour on both sides of zero", () => {
    const ties = [-7n, -5n, -3n, -1n, 1n, 3n, 5n, 7n].map((n) => divideHalfEven(n, 2n));
    expect(ties).to.deep.equal([-4n, -2n, -2n, 0n, 0n, 2n, 2n, 4n]);
  });

  it("rounds what is no tie to the nearest", () => {
    expect(divideHalfEven(1_499_999n, 1_000_000n)).to.equal(1n);
    expect(divideHalfEven(1_500_001n, 1_000_000n)).to.equal(2n);
    expect(divideHalfEven(-8n, 3n)).to.equal(-3n);
    expect(divideHalfEven(-7n, 3n)).to.equal(-2n);
  });

  it("agrees with rounding on paper", () => {
    const numerators = fc.bigInt({ min: 0n, max: 2n ** 100n });
    const denominators = fc.oneof(
      fc.bigInt({ min: 1n, max: 12n }),
      fc.bigInt({ min: 1n, max: 2n ** 70n }),
    );
    fc.assert(
      fc.property(numerators, denominators, (numerator, denominator) => {
        const expected = roundOnPaper([numerator, denominator]);
        expect(divideHalfEven(numerator, denominator)).to.equal(expected);
        expect(divideHalfEven(-numerator, denominator)).to.equal(-expected);
      }),
    );
  });

  it("refuses a denominator that is not positive", () => {
    expect(() => divideHalfEven(1n, 0n)).to.throw(RangeError, "denominator");
    expect(() => divideHalfEven(1n, -2n)).to.throw(RangeError, "denominator");
  });
});

describe("formatUsd", () => {
  const samples: [nanoUsd: bigint, text: string][] = [
    [0n, "$0.00"],
    [1n, "$0.000000001"],
    [1_500_000_000n, "$1.50"],
    [1_234_567_891n, "$1.234567891"],
    [20_000_000_000n, "$20.00"],
    [-1_000n, "-$0.000001"],
    [-2_500_000_000n, "-$2.50"],
    [9_223_372_036_854_775_807n, "$9223372036.854775807"],
  ];
  for (const [nanoUsd, text] of samples) {
    it(`writes ${nanoUsd} as ${text}`, () => {
      expect(formatUsd(nanoUsd)).to.equal(text);
    });
  }
});

describe("formatScaled", () => {
  it("is the inverse of parseDecimalToScaled", () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }),
        fc.nat({ max: 12 }),
        (value, scale) => {
          expect(parseDecimalToScaled(formatScaled(value, scale), scale)).to.equal(value);
        },
      ),
    );
  });

  it("drops trailing zeros and keeps the places asked for", () => {
    expect(formatScaled(1_500n, 3)).to.equal("1.5");
    expect(formatScaled(1_000n, 3)).to.equal("1");
    expect(formatScaled(1_000n, 3, 2)).to.equal("1.00");
    expect(formatScaled(-5n, 3)).to.equal("-0.005");
    expect(formatScaled(42n, 0)).to.equal("42");
  });
});
