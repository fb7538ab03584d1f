import { expect } from "chai";
import fc from "fast-check";
import { BLANK_COLUMNS, narrowJson } from "../../src/usage/narrow-json.js";
import { createTestDatabase } from "../support/postgres.js";

describe("narrowJson", () => {
  it("says what JSON.stringify says, but for what is blank or null", () => {
    const column = fc.constantFrom(...BLANK_COLUMNS.keys(), "request_id", "tags");
    const value = fc.oneof(
      fc.constantFrom(
        null,
        undefined,
        "",
        "0",
        0,
        false,
        true,
        200,
        'a"b',
        "a\\b",
        "a\nb",
        "\u2028",
      ),
      fc.string({ unit: "grapheme" }),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(fc.dictionary(column, value), (row) => {
        const told = Object.entries(row).filter(
          ([name, item]) => item !== undefined && item !== null && item !== BLANK_COLUMNS.get(name),
        );
        expect(JSON.parse(narrowJson(row))).to.deep.equal(
          JSON.parse(JSON.stringify(Object.fromEntries(told))),
        );
      }),
    );
  });

  it("leaves out what the database fills in", async () => {
    const { database, drop } = await createTestDatabase();
    try {
      const { rows } = await database.knex.raw("select row_to_json(blank_usage_record()) as blank");
      const blank = Object.entries(rows[0].blank).filter(([, value]) => value !== null);
      const asText = (entries: Iterable<[string, unknown]>) =>
        Object.fromEntries(Array.from(entries, ([column, value]) => [column, String(value)]));
      expect(asText(blank)).to.deep.equal(asText(BLANK_COLUMNS));
    } finally {
      await drop();
    }
  });
});
