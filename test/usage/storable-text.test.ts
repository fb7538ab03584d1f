import { expect } from "chai";
import fc from "fast-check";
import {
  hasUnstorableText,
  toStorableJsonText,
  toStorableText,
} from "../../src/usage/storable-text.js";
import type { JsonValue } from "../../src/usage/usage-record.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { hostileJson, hostileText } from "./arbitraries.js";

/** Asks Unicode's own questions, one character after the other. */
function isStorable(text: string): boolean {
  return Array.from(text).every((character) => {
    const code = character.codePointAt(0) ?? 0;
    return code !== 0 && !(code >= 0xd800 && code <= 0xdfff);
  });
}

function textsOf(value: JsonValue): string[] {
  if (typeof value === "string") return [value];
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) return value.flatMap(textsOf);
  return Object.entries(value).flatMap(([key, item]) => [key, ...textsOf(item)]);
}

describe("toStorableText", () => {
  for (const [text, stored] of [
    ["", ""],
    ["plain", "plain"],
    ["a\0b\0", "a\ufffdb\ufffd"],
    ["\ud83d\ude00", "\ud83d\ude00"],
    ["\ud83d", "\ufffd"],
    ["\ude00\ud83d", "\ufffd\ufffd"],
    ["\ud83d\ud83d\ude00", "\ufffd\ud83d\ude00"],
    ["\u0001\u001f\u007f\ufffd", "\u0001\u001f\u007f\ufffd"],
  ] as const) {
    it(`makes ${JSON.stringify(text)} ${JSON.stringify(stored)}`, () => {
      expect(toStorableText(text)).to.equal(stored);
    });
  }

  it("changes only what cannot be stored, character by character", () => {
    fc.assert(
      fc.property(hostileText, (text) => {
        const expected = Array.from(text, (c) => (isStorable(c) ? c : "\ufffd")).join("");
        expect(toStorableText(text)).to.equal(expected);
      }),
    );
  });
});

describe("toStorableJsonText", () => {
  for (const [value, stored] of [
    [{ "a\0": ["\ud800", "\udfff"] }, { "a\ufffd": ["\ufffd", "\ufffd"] }],
    ["\\u0000", "\\u0000"],
    ["\\\0", "\\\ufffd"],
    ['\\\\u0000\0"\n', '\\\\u0000\ufffd"\n'],
    ["\\ud800", "\\ud800"],
    ["\ud7ff\ue000\u0001", "\ud7ff\ue000\u0001"],
    [{ "a\0": 1, "a\ud800": 2 }, { "a\ufffd": 2 }],
  ] as const) {
    it(`makes ${JSON.stringify(value)} ${JSON.stringify(stored)}`, () => {
      expect(JSON.parse(toStorableJsonText(JSON.stringify(value)))).to.deep.equal(stored);
    });
  }

  it("does to JSON what toStorableText does to its texts", () => {
    fc.assert(
      fc.property(hostileJson, (value) => {
        const stored = JSON.parse(toStorableJsonText(JSON.stringify(value))) as JsonValue;
        const texts = new Set(textsOf(value).map(toStorableText));
        expect(textsOf(stored).filter((text) => !texts.has(text))).to.deep.equal([]);
        expect(textsOf(stored).every(isStorable)).to.equal(true);
      }),
    );
  });
});

describe("hasUnstorableText", () => {
  it("looks into every string and key", () => {
    fc.assert(
      fc.property(hostileJson, (value) => {
        expect(hasUnstorableText(value)).to.equal(!textsOf(value).every(isStorable));
      }),
    );
  });

  it("is not misled by escaped backslashes", () => {
    expect(hasUnstorableText({ a: "\\u0000", b: "\\\\ud800", c: "\\\\\\u0000" })).to.equal(false);
    expect(hasUnstorableText({ a: ["\\\0"] })).to.equal(true);
  });
});

describe("PostgreSQL", () => {
  let testDatabase: TestDatabase;
  before(async () => {
    testDatabase = await createTestDatabase();
  });
  after(() => testDatabase.drop());

  /** SQLSTATE 22P05 untranslatable_character, 22P02 invalid_text_representation. */
  async function refusal(json: string): Promise<string | undefined> {
    const { knex } = testDatabase.database;
    return knex.raw("select ?::json::jsonb", [json]).then(
      () => undefined,
      (error) => error.code as string,
    );
  }

  it("refuses as jsonb exactly what hasUnstorableText finds, and nothing after", async () => {
    await fc.assert(
      fc.asyncProperty(hostileJson, async (value) => {
        const json = JSON.stringify(value);
        expect((await refusal(json)) !== undefined).to.equal(hasUnstorableText(value));
        expect(await refusal(toStorableJsonText(json))).to.equal(undefined);
      }),
      { numRuns: 200 },
    );
  });
});
