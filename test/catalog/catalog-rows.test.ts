import { expect } from "chai";
import {
  ALL_ROWS,
  type CatalogTableName,
  mergeRows,
  parseNotification,
  type RowIds,
} from "../../src/catalog/catalog-rows.js";

const rows = (...entries: [CatalogTableName, RowIds][]) => new Map(entries);

describe("mergeRows", () => {
  const a = new Set(["a"]);
  const b = new Set(["b"]);

  for (const [what, first, second, expected] of [
    [
      "different tables",
      rows(["users", a]),
      rows(["models", b]),
      rows(["users", a], ["models", b]),
    ],
    [
      "ids of one table",
      rows(["users", a]),
      rows(["users", b]),
      rows(["users", new Set(["a", "b"])]),
    ],
    ["all after some", rows(["users", a]), rows(["users", null]), rows(["users", null])],
    ["some after all", rows(["users", null]), rows(["users", b]), rows(["users", null])],
    ["nothing", rows(), rows(["users", b]), rows(["users", b])],
  ] as const) {
    it(`takes ${what} together`, () => {
      expect(mergeRows(first, second)).to.deep.equal(expected);
    });
  }

  it("leaves both as they were", () => {
    const first = rows(["users", a]);
    mergeRows(first, rows(["users", b], ["models", b]));
    expect(first).to.deep.equal(rows(["users", new Set(["a"])]));
  });

  it("is everything with everything", () => {
    expect(mergeRows(rows(["users", a]), ALL_ROWS)).to.deep.equal(ALL_ROWS);
  });
});

describe("parseNotification", () => {
  it("reads ids, and null for all", () => {
    expect(parseNotification('{"table": "users", "ids": ["a", "b"]}')).to.deep.equal(
      rows(["users", new Set(["a", "b"])]),
    );
    expect(parseNotification('{"table": "model_prices", "ids": null}')).to.deep.equal(
      rows(["model_prices", null]),
    );
  });

  for (const payload of [
    "",
    "{",
    "null",
    "7",
    '"users"',
    '{"table": "planets", "ids": []}',
    "{}",
  ]) {
    it(`makes nothing of ${payload || "an empty payload"}`, () => {
      expect(parseNotification(payload)).to.equal(undefined);
    });
  }
});
