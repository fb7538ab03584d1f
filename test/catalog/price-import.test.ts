import { expect } from "chai";
import { createCatalogApplier } from "../../src/catalog/apply.js";
import type { CatalogRows } from "../../src/catalog/catalog-rows.js";
import { createCatalogChanges } from "../../src/catalog/changes.js";
import {
  createPriceImporter,
  type PriceImporterOptions,
  type PriceImportRequest,
  type PriceImportResult,
} from "../../src/catalog/price-import.js";
import { DomainError } from "../../src/errors.js";
import type { GenaiCollection } from "../../src/pricing/genai-collection.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";
import { catalogDocument, flatPrice, model, price, TEST_ORIGIN } from "./entries.js";

type GenaiProvider = GenaiCollection["providers"][number];

/** A provider of the collection; the maker of the models whose names begin with `makes`. */
function collectionProvider(
  id: string,
  prices: Readonly<Record<string, number>>,
  makes?: string,
): GenaiProvider {
  return {
    id,
    name: id,
    api_pattern: id,
    ...(makes !== undefined && { model_match: { starts_with: makes } }),
    models: Object.entries(prices).map(([name, dollars]) => ({
      id: name,
      match: { starts_with: name },
      prices: { input_mtok: dollars, output_mtok: 2 * dollars },
    })),
  };
}

/** An importer for whom it does not matter who imports. */
interface Importer {
  importPrices(request?: Omit<PriceImportRequest, "origin">): Promise<PriceImportResult>;
}

describe("PriceImporter", () => {
  let test: TestDatabase;
  let providers: GenaiProvider[];
  let importer: Importer;
  let refreshed: CatalogRows[];

  beforeEach(async () => {
    test = await createTestDatabase();
    refreshed = [];
    providers = [
      collectionProvider("acme", { "acme-1": 1, "acme-2": 2 }, "acme-"),
      collectionProvider("cloud", { "acme-1": 1.5 }),
    ];
    importer = makeImporter({ loadCollection: async () => ({ version: "7.0.0", providers }) });
  });
  afterEach(() => test.drop());

  /** What importers and appliers are made of. */
  function parts() {
    const { database } = test;
    const refresh = async (rows: CatalogRows) => {
      refreshed.push(rows);
    };
    return { database, changes: createCatalogChanges({ database, refresh }), logger: silentLogger };
  }

  function makeImporter(options: Pick<PriceImporterOptions, "loadCollection"> = {}): Importer {
    const made = createPriceImporter({ ...parts(), ...options });
    return {
      importPrices: (request = {}) => made.importPrices({ origin: TEST_ORIGIN, ...request }),
    };
  }

  const apply = (document: Parameters<typeof catalogDocument>[0]) =>
    createCatalogApplier(parts()).apply(catalogDocument(document), { origin: TEST_ORIGIN });

  /** Every price as "model@provider source dollars". */
  async function storedPrices(): Promise<string[]> {
    const { rows } = await test.database.knex.raw(
      `select model || '@' || provider || ' ' || source || ' '
         || (price->'tiers'->0->>'input_nano_usd_per_million')::numeric / 1e9 as text
       from model_prices order by model, provider`,
    );
    return rows.map(({ text }: { text: string }) => text.replace(/\.?0+$/, ""));
  }

  const counts = ({ createdCount, updatedCount, unchangedCount, keptCount }: PriceImportResult) => [
    createdCount,
    updatedCount,
    unchangedCount,
    keptCount,
  ];

  it("writes providers' prices, and those of the maker as global ones too", async () => {
    const result = await importer.importPrices();
    expect(counts(result)).to.deep.equal([5, 0, 0, 0]);
    expect(result.collectionVersion).to.equal("7.0.0");
    expect(await storedPrices()).to.deep.equal([
      "acme-1@ genai-prices 1",
      "acme-1@acme genai-prices 1",
      "acme-1@cloud genai-prices 1.5",
      "acme-2@ genai-prices 2",
      "acme-2@acme genai-prices 2",
    ]);
    expect(refreshed).to.deep.equal([new Map([["model_prices", new Set(["acme-1", "acme-2"])]])]);
  });

  it("changes nothing the second time", async () => {
    await importer.importPrices();
    const versions = () => test.database.knex.raw("select count(*) from price_versions");
    const before = await versions();
    expect(counts(await importer.importPrices())).to.deep.equal([0, 0, 5, 0]);
    expect((await versions()).rows).to.deep.equal(before.rows);
    expect(refreshed).to.have.length(1);
  });

  it("updates what the collection changed", async () => {
    await importer.importPrices();
    providers = [collectionProvider("acme", { "acme-1": 9, "acme-2": 2 }, "acme-")];
    expect(counts(await importer.importPrices())).to.deep.equal([0, 2, 2, 0]);
    expect(await storedPrices()).to.include.members([
      "acme-1@ genai-prices 9",
      "acme-1@cloud genai-prices 1.5",
    ]);
  });

  it("never touches what an operator priced, and tells how much gave way", async () => {
    await apply({
      prices: [price("acme-1", { provider: "acme", price: flatPrice(7n * 10n ** 9n) })],
    });
    expect(counts(await importer.importPrices())).to.deep.equal([4, 0, 0, 1]);
    expect(await storedPrices()).to.include("acme-1@acme operator 7");
    expect(counts(await importer.importPrices())).to.deep.equal([0, 0, 4, 1]);
  });

  it("leaves a price alone that an operator took over from the collection", async () => {
    await importer.importPrices();
    await apply({ prices: [price("acme-2", { price: flatPrice(1n * 10n ** 9n) })] });
    expect(counts(await importer.importPrices())).to.deep.equal([0, 0, 4, 1]);
    expect(await storedPrices()).to.include("acme-2@ operator 1");
  });

  it("does not put a dated price of the collection in the place of an operator's", async () => {
    const [acme] = providers as [GenaiProvider];
    const dated = {
      ...acme,
      models: acme.models.map((entry) => ({
        ...entry,
        prices: [
          { prices: { input_mtok: 1 } },
          {
            constraint: { type: "start_date" as const, start_date: "2025-01-01" },
            prices: { input_mtok: 2 },
          },
        ],
      })),
    };
    providers = [dated];
    await apply({ prices: [price("acme-1", { price: flatPrice(5n * 10n ** 9n) })] });
    expect(counts(await importer.importPrices())).to.deep.equal([6, 0, 0, 2]);
    expect((await storedPrices()).filter((text) => text.startsWith("acme-1@ "))).to.deep.equal([
      "acme-1@ operator 5",
    ]);
  });

  it("imports only the providers that are asked for", async () => {
    expect(counts(await importer.importPrices({ providerIds: ["cloud"] }))).to.deep.equal([
      1, 0, 0, 0,
    ]);
    expect(await storedPrices()).to.deep.equal(["acme-1@cloud genai-prices 1.5"]);
  });

  it("refuses a provider that the collection does not have", async () => {
    const error = await importer.importPrices({ providerIds: ["acme", "acne"] }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).to.be.instanceOf(DomainError);
    expect((error as DomainError).reason).to.equal("INVALID_FIELD");
    expect((error as DomainError).violations).to.deep.equal([
      {
        field: "providers[1]",
        description: 'must be a provider of the price collection: acme, cloud (was "acne")',
      },
    ]);
  });

  it("prices the catalog's own model names where a pattern takes them", async () => {
    await apply({ models: [model("acme-2-turbo")] });
    await importer.importPrices();
    expect(await storedPrices()).to.include("acme-2-turbo@acme genai-prices 2");
  });

  it("only counts in a dry run", async () => {
    const dry = await importer.importPrices({ dryRun: true });
    expect(await storedPrices()).to.deep.equal([]);
    expect(refreshed).to.deep.equal([]);
    expect(dry).to.deep.equal(await importer.importPrices());
  });

  it("imports the whole bundled collection, and tells what it cannot hold", async () => {
    const bundled = makeImporter();
    const first = await bundled.importPrices();
    expect(first.createdCount).to.be.above(2_500);
    expect(first.skipped.map(({ reason }) => reason)).to.include("UNSUPPORTED_UNIT");
    const second = await bundled.importPrices();
    expect(counts(second)).to.deep.equal([0, 0, first.createdCount, 0]);
    const { rows } = await test.database.knex.raw(
      `select provider, price->'tiers'->0->>'input_nano_usd_per_million' as input
       from model_prices where model = 'claude-sonnet-4-5' and provider in ('', 'anthropic')
       order by provider`,
    );
    expect(rows).to.deep.equal([
      { provider: "", input: "3000000000" },
      { provider: "anthropic", input: "3000000000" },
    ]);
  });
});
