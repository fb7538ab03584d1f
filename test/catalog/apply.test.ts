import { expect } from "chai";
import fc from "fast-check";
import { createCatalogApplier } from "../../src/catalog/apply.js";
import type { CatalogRows } from "../../src/catalog/catalog-rows.js";
import { createCatalogChanges } from "../../src/catalog/changes.js";
import type { CatalogDiff } from "../../src/catalog/diff.js";
import type { CatalogDocument } from "../../src/catalog/document.js";
import { readDocumentState } from "../../src/catalog/document-store.js";
import { DomainError } from "../../src/errors.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";
import { documents } from "./arbitraries.js";
import {
  apiKey,
  budget,
  catalogDocument,
  flatPrice,
  price,
  provider,
  providerEndpoint,
  providerKey,
  TEST_ORIGIN,
  user,
} from "./entries.js";

interface Applier {
  apply(document: CatalogDocument, options?: { readonly dryRun?: boolean }): Promise<CatalogDiff>;
}

describe("CatalogApplier", () => {
  let test: TestDatabase;
  let applier: Applier;
  let refreshed: CatalogRows[];

  before(async () => {
    test = await createTestDatabase();
  });
  after(() => test.drop());

  beforeEach(() => {
    refreshed = [];
    applier = makeApplier(async (rows) => {
      refreshed.push(rows);
    });
  });

  /** Changes made by nobody in particular. */
  function makeApplier(refresh: (rows: CatalogRows) => Promise<void>): Applier {
    const { database } = test;
    const changes = createCatalogChanges({ database, refresh });
    const made = createCatalogApplier({ database, changes, logger: silentLogger });
    return {
      apply: (document, options = {}) => made.apply(document, { origin: TEST_ORIGIN, ...options }),
    };
  }

  const stateOf = (document: CatalogDocument) =>
    test.database.transaction((trx) => readDocumentState(trx, document, { locking: false }));

  const count = (sql: string) =>
    test.database.knex
      .raw(`select count(*)::int as count ${sql}`)
      .then(({ rows }) => rows[0].count);

  async function refusal(document: CatalogDocument): Promise<DomainError> {
    try {
      await applier.apply(document);
    } catch (error) {
      if (error instanceof DomainError) return error;
      throw error;
    }
    throw new Error("the document was applied");
  }

  it("makes the catalog exactly what a document says, and twice changes nothing more", async function () {
    this.timeout(60_000);
    await fc.assert(
      fc.asyncProperty(documents, async (document) => {
        await applier.apply(document);
        const { settings, ...collections } = await stateOf(document);
        const { settings: wantedSettings, ...wanted } = document;
        for (const [collection, entries] of Object.entries(wanted)) {
          const found: readonly object[] = collections[collection as keyof typeof collections];
          if (collection === "prices")
            expect(found.map(withoutVersion)).to.include.deep.members(entries);
          else expect(found).to.have.deep.members(entries);
        }
        expect(settings).to.deep.include(wantedSettings);
        const again = await applier.apply(document);
        expect(again.changes).to.deep.equal([]);
      }),
      { numRuns: 40 },
    );
  });

  it("leaves what a document does not name as it was", async () => {
    const others = catalogDocument({
      users: [user("other", { email: "other@example.com" })],
      prices: [price("other", { price: flatPrice(42n) })],
      budgets: [budget("other", { limit: 7n })],
      settings: { maxRequestBodySize: 42 },
    });
    await applier.apply(others);
    await applier.apply(
      catalogDocument({
        users: [user("one")],
        prices: [price("other", { provider: "p" })],
        budgets: [budget("one")],
        settings: { maxResponseBodySize: 43 },
      }),
    );
    const state = await stateOf(others);
    expect(state.users).to.deep.equal(others.users);
    expect(state.budgets).to.deep.equal(others.budgets);
    expect(state.prices.map(withoutVersion)).to.include.deep.members([...others.prices]);
    expect(state.settings).to.deep.include({ maxRequestBodySize: 42, maxResponseBodySize: 43 });
  });

  it("puts fields that a document does not give back to their defaults", async () => {
    await applier.apply(
      catalogDocument({ users: [user("reset", { role: "ADMIN", allowedModels: new Set(["m"]) })] }),
    );
    const plain = catalogDocument({ users: [user("reset")] });
    await applier.apply(plain);
    expect((await stateOf(plain)).users).to.deep.equal(plain.users);
  });

  it("keeps create_time, and update_time where nothing changes", async () => {
    const read = async () => {
      const { rows } = await test.database.knex.raw(
        "select user_id, create_time, update_time from users where user_id like 'time-%' order by 1",
      );
      return rows;
    };
    await applier.apply(catalogDocument({ users: [user("time-a"), user("time-b")] }));
    const first = await read();
    await applier.apply(
      catalogDocument({ users: [user("time-a"), user("time-b", { email: "b" })] }),
    );
    const second = await read();
    expect(second[0]).to.deep.equal(first[0]);
    expect(second[1].create_time).to.deep.equal(first[1].create_time);
    expect(second[1].update_time).to.be.above(first[1].update_time);
  });

  it("gives a price that changes a new version and keeps the old content", async () => {
    const versions = async () => {
      const { rows } = await test.database.knex.raw(
        `select v.version, v.price->'tiers'->0->>'input_nano_usd_per_million' as input,
           v.version = p.version as current
         from price_versions v join model_prices p using (model)
         where model = 'versioned' order by v.version`,
      );
      return rows.map((row: { input: string; current: boolean }) => [row.input, row.current]);
    };
    const priced = (input: bigint) =>
      catalogDocument({ prices: [price("versioned", { price: flatPrice(input) })] });
    await applier.apply(priced(1n));
    await applier.apply(priced(1n));
    expect(await versions()).to.deep.equal([["1", true]]);
    await applier.apply(priced(2n));
    expect(await versions()).to.deep.equal([
      ["1", false],
      ["2", true],
    ]);
  });

  it("writes nothing in a dry run and answers the same", async () => {
    const document = catalogDocument({ users: [user("dry")], budgets: [budget("dry")] });
    const dry = await applier.apply(document, { dryRun: true });
    expect(await count("from users where user_id = 'dry'")).to.equal(0);
    expect(refreshed).to.deep.equal([]);
    const real = await applier.apply(document);
    expect(dry).to.deep.equal(real);
    expect(await count("from users where user_id = 'dry'")).to.equal(1);
  });

  it("refreshes exactly the rows that changed, after they are committed", async () => {
    let seen = 0;
    const watching = makeApplier(async (rows) => {
      refreshed.push(rows);
      seen = await count("from users where user_id in ('fresh-1', 'fresh-2')");
    });
    await watching.apply(catalogDocument({ users: [user("fresh-1")] }));
    await watching.apply(
      catalogDocument({
        users: [user("fresh-1"), user("fresh-2")],
        prices: [price("fresh-model", { provider: "p" })],
        settings: { maxRequestBodySize: 77 },
      }),
    );
    expect(refreshed[1]).to.deep.equal(
      new Map([
        ["users", new Set(["fresh-2"])],
        ["model_prices", new Set(["fresh-model"])],
        ["settings", new Set(["maxRequestBodySize"])],
      ]),
    );
    expect(seen).to.equal(2);
  });

  it("writes nothing of a document that is wrong somewhere", async () => {
    const document = catalogDocument({
      users: [user("half")],
      apiKeys: [apiKey("half", { userId: "nobody" })],
    });
    const error = await refusal(document);
    expect(error.reason).to.equal("CATALOG_INVALID");
    expect(error.violations).to.deep.equal([
      {
        field: "document.api_keys[0].user_id",
        description: 'must be a user of the catalog or of the same request (was "nobody")',
      },
    ]);
    expect(await count("from users where user_id = 'half'")).to.equal(0);
  });

  it("takes references to what the catalog has already", async () => {
    await applier.apply(
      catalogDocument({
        users: [user("known")],
        providers: [provider("known")],
        providerEndpoints: [providerEndpoint("known", { provider: "known" })],
      }),
    );
    const diff = await applier.apply(
      catalogDocument({
        apiKeys: [apiKey("new", { userId: "known" })],
        providerKeys: [providerKey("new", { provider: "known", providerEndpointId: "known" })],
      }),
    );
    expect(diff.changes.map(({ kind }) => kind)).to.deep.equal(["CREATED", "CREATED"]);
  });

  it("refuses to move a budget to something else while its spend stays", async () => {
    await applier.apply(
      catalogDocument({ budgets: [budget("fixed", { scope: "USER", subject: "a" })] }),
    );
    const error = await refusal(
      catalogDocument({
        budgets: [budget("fixed", { scope: "MODEL", subject: "b", measure: "TOKENS" })],
      }),
    );
    expect(error.violations.map(({ field }) => field)).to.deep.equal([
      "document.budgets[0].scope",
      "document.budgets[0].subject",
      "document.budgets[0].measure",
    ]);
  });

  it("lets documents that come at the same moment follow each other", async () => {
    const size = 50;
    const ids = Array.from({ length: size }, (_, index) => `at-once-${index}`);
    const documentBy = (name: string, order: readonly string[]) =>
      catalogDocument({
        users: order.map((id) => user(id, { username: name })),
        prices: order.map((id) => price(id, { price: flatPrice(BigInt(name.length)) })),
      });
    const [first, second, third] = await Promise.all([
      applier.apply(documentBy("a", ids)),
      applier.apply(documentBy("bb", [...ids].reverse())),
      applier.apply(documentBy("ccc", ids)),
    ]);
    const kinds = [first, second, third].map(({ changes }) => changes[0]?.kind).sort();
    expect(kinds).to.deep.equal(["CREATED", "UPDATED", "UPDATED"]);
    const { rows } = await test.database.knex.raw(
      "select distinct username from users where user_id like 'at-once-%'",
    );
    expect(rows).to.have.length(1);
    expect(await count("from model_prices where model like 'at-once-%'")).to.equal(size);
  });
});

function withoutVersion(entry: object): object {
  const { version: _version, ...rest } = entry as { version?: bigint };
  return rest;
}
