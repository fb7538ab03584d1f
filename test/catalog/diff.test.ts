import { expect } from "chai";
import fc from "fast-check";
import { diffCatalog, type EntryChange } from "../../src/catalog/diff.js";
import { documents } from "./arbitraries.js";
import { budget, catalogDocument, flatPrice, model, price, user } from "./entries.js";

/** What a change says beside the whole entry. */
function withoutStates({ before: _, after: __, ...change }: EntryChange) {
  return change;
}

describe("diffCatalog", () => {
  it("shows a new entry with all that is set of it", () => {
    const wanted = user("alice", {
      email: "alice@example.com",
      role: "ADMIN",
      expireTimeMs: 1_735_689_600_000,
      allowedModels: new Set(["b", "a"]),
    });
    const diff = diffCatalog(catalogDocument({ users: [wanted] }), catalogDocument());
    expect(diff.changes.map(withoutStates)).to.deep.equal([
      {
        kind: "CREATED",
        collection: "users",
        id: "alice",
        fields: [
          { field: "email", before: "", after: '"alice@example.com"' },
          { field: "role", before: "", after: '"ADMIN"' },
          { field: "active", before: "", after: "true" },
          { field: "expire_time", before: "", after: '"2025-01-01T00:00:00.000Z"' },
          { field: "allowed_models", before: "", after: '["a","b"]' },
        ],
      },
    ]);
    expect(diff.unchangedCount).to.equal(0);
    expect(diff.changed.users).to.deep.equal([wanted]);
  });

  it("shows of a known entry only the fields that change, nested ones by their path", () => {
    const current = budget("b", {
      limit: 5_000_000_000n,
      window: { kind: "MONTH", timeZone: "UTC" },
      alertPercents: [80],
    });
    const wanted = budget("b", { window: { kind: "MONTH", timeZone: "Europe/Berlin" } });
    const diff = diffCatalog(
      catalogDocument({ budgets: [wanted] }),
      catalogDocument({ budgets: [current] }),
    );
    expect(diff.changes.map(withoutStates)).to.deep.equal([
      {
        kind: "UPDATED",
        collection: "budgets",
        id: "b",
        fields: [
          { field: "window.time_zone", before: '"UTC"', after: '"Europe/Berlin"' },
          { field: "limit", before: '"5000000000"', after: "" },
          { field: "alert_percents", before: "[80]", after: "" },
        ],
      },
    ]);
  });

  it("tells a limit of zero from none", () => {
    const diff = diffCatalog(
      catalogDocument({ budgets: [budget("b", { limit: 0n })] }),
      catalogDocument({ budgets: [budget("b")] }),
    );
    expect(diff.changes[0]?.fields).to.deep.equal([{ field: "limit", before: "", after: '"0"' }]);
  });

  it("names prices by model, provider and start, and goes into their tiers", () => {
    const diff = diffCatalog(
      catalogDocument({
        prices: [
          price("gpt-4o", { price: flatPrice(3n, 7n) }),
          price("gpt-4o", { provider: "openai", effectiveTimeMs: 1_735_689_600_000 }),
        ],
      }),
      catalogDocument({ prices: [price("gpt-4o", { price: flatPrice(2n, 7n) })] }),
    );
    expect(diff.changes.map(({ kind, id }) => [kind, id])).to.deep.equal([
      ["UPDATED", "gpt-4o@*"],
      ["CREATED", "gpt-4o@openai>2025-01-01T00:00:00.000Z"],
    ]);
    expect(diff.changes[0]?.fields).to.deep.equal([
      { field: "price.tiers[0].input_nano_usd_per_million", before: '"2"', after: '"3"' },
    ]);
  });

  it("counts a price that an operator takes over from the collection as changed", () => {
    const diff = diffCatalog(
      catalogDocument({ prices: [price("m")] }),
      catalogDocument({ prices: [price("m", { source: "genai-prices" })] }),
    );
    expect(diff.changes[0]?.fields).to.deep.equal([
      { field: "source", before: '"genai-prices"', after: '"operator"' },
    ]);
  });

  it("keeps the whole entry before and after, nothing where it was not there", () => {
    const wanted = catalogDocument({ models: [model("new"), model("old", { active: false })] });
    const { changes } = diffCatalog(wanted, catalogDocument({ models: [model("old")] }));
    expect(changes.map(({ before, after }) => ({ before, after }))).to.deep.equal([
      { before: null, after: { display_name: "", active: true } },
      { before: { display_name: "", active: true }, after: { display_name: "", active: false } },
    ]);
  });

  it("leaves settings alone that are not given", () => {
    const state = catalogDocument({
      settings: { requestLogLevel: "FULL", maxRequestBodySize: 10 },
    });
    const diff = diffCatalog(catalogDocument({ settings: { maxRequestBodySize: 20 } }), state);
    expect(diff.changes.map(withoutStates)).to.deep.equal([
      {
        kind: "UPDATED",
        collection: "settings",
        id: "settings",
        fields: [{ field: "max_request_body_size", before: "10", after: "20" }],
      },
    ]);
    expect(diff.changed.settings).to.deep.equal({ maxRequestBodySize: 20 });
    expect(diffCatalog(catalogDocument(), state)).to.deep.include({
      changes: [],
      unchangedCount: 0,
    });
  });

  it("finds nothing to change in what is there already", () => {
    fc.assert(
      fc.property(documents, (document) => {
        const diff = diffCatalog(document, document);
        expect(diff.changes).to.deep.equal([]);
        expect(diff.changed).to.deep.equal(catalogDocument());
        const { settings, ...collections } = document;
        const count = Object.values(collections).reduce((sum, { length }) => sum + length, 0);
        expect(diff.unchangedCount).to.equal(count + (Object.keys(settings).length > 0 ? 1 : 0));
      }),
    );
  });

  it("counts every entry once, as changed or as unchanged", () => {
    fc.assert(
      fc.property(documents, documents, (document, state) => {
        const { changes, unchangedCount } = diffCatalog(document, state);
        const { settings, ...collections } = document;
        const count = Object.values(collections).reduce((sum, { length }) => sum + length, 0);
        const given = Object.keys(settings).length > 0 ? 1 : 0;
        expect(changes.length + unchangedCount).to.equal(count + given);
        for (const { fields } of changes) {
          expect(fields).to.not.be.empty;
          for (const { before, after } of fields) expect(before).to.not.equal(after);
        }
      }),
    );
  });
});
