import { expect } from "chai";
import fc from "fast-check";
import { redactHeaders } from "../../src/usage/redact-headers.js";
import { toStorableText } from "../../src/usage/storable-text.js";
import { hostileHeaders, hostileText } from "./arbitraries.js";

const SENSITIVE = new Set(["authorization", "x-api-key"]);

function masked(value: string): string | undefined {
  return redactHeaders({ authorization: value }, SENSITIVE).authorization;
}

/** The rule, read aloud. */
function expectedMask(value: string): string {
  const characters = Array.from(value);
  if (characters.length <= 8) return "****";
  return `${characters.slice(0, 4).join("")}****${characters.slice(-4).join("")}`;
}

describe("redactHeaders", () => {
  for (const [value, stored] of [
    ["", "****"],
    ["12345678", "****"],
    ["123456789", "1234****6789"],
    ["Bearer sk-0123456789abcdef", "Bear****cdef"],
    ["😀😀😀😀😀😀😀😀", "****"],
    ["😀2😀4-😀7😀9", "😀2😀4****😀7😀9"],
    ["key\0of-\0somebody", "key\ufffd****body"],
  ] as const) {
    it(`masks ${JSON.stringify(value)} as ${JSON.stringify(stored)}`, () => {
      expect(masked(value)).to.equal(stored);
    });
  }

  it("knows sensitive names in any case, and leaves the others alone", () => {
    const headers = {
      "X-Api-Key": "secret-secret",
      " AUTHORIZATION ": "short",
      accept: "text/html",
    };
    expect({ ...redactHeaders(headers, SENSITIVE) }).to.deep.equal({
      "X-Api-Key": "secr****cret",
      " AUTHORIZATION ": "****",
      accept: "text/html",
    });
  });

  it("shows four characters at each end at most, and never half of one", () => {
    fc.assert(
      fc.property(fc.oneof(hostileText, fc.string({ unit: "binary", maxLength: 40 })), (value) => {
        expect(masked(value)).to.equal(expectedMask(toStorableText(value)));
      }),
    );
  });

  it("keeps every header, whatever its name, and changes nothing else", () => {
    fc.assert(
      fc.property(hostileHeaders, (headers) => {
        const before = JSON.stringify(headers);
        const redacted = redactHeaders(headers, SENSITIVE);
        const expected = Object.entries(headers).map(([name, value]) => [
          toStorableText(name),
          SENSITIVE.has(name.toLowerCase())
            ? expectedMask(toStorableText(value))
            : toStorableText(value),
        ]);
        expect(JSON.parse(JSON.stringify(redacted))).to.deep.equal(Object.fromEntries(expected));
        expect(JSON.stringify(headers)).to.equal(before);
      }),
    );
  });

  it("takes __proto__ for the name that it is", () => {
    const headers = JSON.parse('{"__proto__": "polluted", "constructor": "c"}');
    const redacted = redactHeaders(headers, new Set(["__proto__"]));
    expect(JSON.stringify(redacted)).to.equal('{"__proto__":"****","constructor":"c"}');
    expect(Object.getPrototypeOf(redacted)).to.equal(null);
  });
});
