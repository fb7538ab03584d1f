import { expect } from "chai";
import fc from "fast-check";
import { hasUnstorableText } from "../../src/usage/storable-text.js";
import { type TruncatedBody, truncateBody } from "../../src/usage/truncate-body.js";
import { hostileJson } from "./arbitraries.js";

describe("truncateBody", () => {
  it("keeps a body of exactly the largest size", () => {
    const body = { model: "m", text: "€" }; // {"model":"m","text":"€"} has 26 bytes
    expect(truncateBody(body, 26)).to.equal(body);
    expect(truncateBody(body, 25)).to.deep.equal({
      _truncated: true,
      _original_size: 26,
      _content: '{"model":"m","text":"€"',
    });
  });

  for (const [maxBytes, content] of [
    [0, ""],
    [1, '"'],
    [2, '"a'],
    [3, '"a'],
    [4, '"a'],
    [5, '"a€'],
    [8, '"a€'],
    [9, '"a€😀'],
  ] as const) {
    it(`cuts "a€😀" to ${maxBytes} bytes between two characters`, () => {
      expect(truncateBody("a€😀", maxBytes)).to.deep.equal({
        _truncated: true,
        _original_size: 10,
        _content: content,
      });
    });
  }

  it("makes NUL and lone surrogates storable, whether it cuts or not", () => {
    expect(truncateBody(["a\0b"], 100)).to.deep.equal(["a\ufffdb"]);
    expect(truncateBody(["\ud800\0abc"], 8)).to.deep.equal({
      _truncated: true,
      _original_size: 19,
      _content: '["\ufffd\ufffd',
    });
  });

  it("stores a valid beginning, as long as it may be, of what is too long", () => {
    fc.assert(
      fc.property(hostileJson, fc.nat({ max: 60 }), (body, maxBytes) => {
        const size = Buffer.byteLength(JSON.stringify(body));
        const stored = truncateBody(body, maxBytes);
        expect(hasUnstorableText(stored)).to.equal(false);
        if (size <= maxBytes) {
          if (!hasUnstorableText(body)) expect(stored).to.deep.equal(body);
          return;
        }
        const { _truncated, _original_size, _content } = stored as TruncatedBody;
        expect([_truncated, _original_size]).to.deep.equal([true, size]);
        const bytes = Buffer.byteLength(_content);
        expect(bytes).to.be.at.most(maxBytes);
        // The next character would not have fitted, unless U+FFFD took less room than an escape.
        if (!hasUnstorableText(body)) {
          expect(JSON.stringify(body).startsWith(_content)).to.equal(true);
          expect(bytes).to.be.above(maxBytes - 4);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("keeps __proto__ a key", () => {
    const stored = truncateBody(JSON.parse('{"__proto__": {"a": "\\u0000"}}'), 100);
    expect(JSON.stringify(stored)).to.equal('{"__proto__":{"a":"\ufffd"}}');
  });
});
