import { expect } from "chai";
import fc from "fast-check";
import { showValue, toAscii } from "../src/ascii.js";

describe("toAscii", () => {
  it("keeps printable ASCII as it is", () => {
    const text = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 32 + index));
    expect(toAscii(text, 200)).to.equal(text);
  });

  it("writes everything else as \\uXXXX", () => {
    expect(toAscii("a\0\n\u007f\u00e9\ud83d\ude00\ud800", 200)).to.equal(
      "a\\u0000\\u000a\\u007f\\u00e9\\ud83d\\ude00\\ud800",
    );
  });

  it("cuts what is longer than allowed and says so", () => {
    expect(toAscii("a".repeat(10), 10)).to.equal("a".repeat(10));
    expect(toAscii("a".repeat(11), 10)).to.equal("aaaaaaa...");
    expect(toAscii("\u00e9".repeat(3), 10)).to.equal("\\u00e9\\...");
  });

  it("is printable ASCII of the allowed length for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), fc.integer({ min: 3, max: 80 }), (text, max) => {
        expect(toAscii(text, max)).to.match(/^[\x20-\x7e]*$/);
        expect(toAscii(text, max).length).to.be.at.most(max);
      }),
    );
  });
});

describe("showValue", () => {
  const cases: [unknown, string][] = [
    ["claude", '"claude"'],
    ['a"b\\c\n\0', '"a\\"b\\\\c\\n\\u0000"'],
    ["gr\u00fcn", '"gr\\u00fcn"'],
    ["\ud800", '"\\ud800"'],
    ["x".repeat(64), `"${"x".repeat(64)}"`],
    ["x".repeat(65), `"${"x".repeat(64)}"... (65 characters)`],
    [-5n, "-5"],
    [1.5, "1.5"],
    [false, "false"],
    [undefined, "unset"],
    [null, "unset"],
    [[1], "1 item"],
    [[], "0 items"],
    [new Uint8Array(3), "3 bytes"],
    [{ a: 1 }, "1 entry"],
    [{}, "0 entries"],
  ];
  for (const [value, shown] of cases) {
    it(`shows ${shown}`, () => {
      expect(showValue(value)).to.equal(shown);
    });
  }
});
