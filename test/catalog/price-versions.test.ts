import { expect } from "chai";
import { toPriceVersion } from "../../src/catalog/price-id.js";
import { createPriceVersions } from "../../src/catalog/price-versions.js";
import { formatPriceVersion } from "../../src/pricing/price.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";
import { flatPrice, price } from "./entries.js";

describe("PriceVersions", () => {
  let test: TestDatabase;
  let queries: string[];

  before(async () => {
    test = await createTestDatabase();
    await test.database.knex.raw(
      `insert into model_prices (model, provider, effective_time, price)
       select 'm' || n, 'p', '2025-01-01 00:00:00+00', jsonb_build_object('tiers', jsonb_build_array(
         jsonb_build_object('input_nano_usd_per_million', n::text, 'output_nano_usd_per_million', '0')))
       from generate_series(1, 5) n`,
    );
    await test.database.knex.raw(`delete from model_prices where model = 'm2'`);
    test.database.knex.on("query", ({ sql }: { sql: string }) => queries.push(sql));
  });
  after(() => test.drop());
  beforeEach(() => {
    queries = [];
  });

  const createVersions = (capacity?: number) =>
    createPriceVersions({
      database: test.database,
      logger: silentLogger,
      ...(capacity !== undefined && { capacity }),
    });

  it("finds the content of versions, also of prices that are gone", async () => {
    const version = await createVersions().find(2n);
    expect(version).to.deep.equal({
      priceId: "m2@p>2025-01-01T00:00:00.000Z",
      model: "m2",
      provider: "p",
      effectiveFromMs: Date.UTC(2025, 0, 1),
      price: flatPrice(2n),
      version: 2n,
    });
  });

  it("leaves out numbers that nothing has", async () => {
    const versions = createVersions();
    expect(await versions.find(99n)).to.equal(undefined);
    expect([...(await versions.findAll([1n, 99n])).keys()]).to.deep.equal([1n]);
  });

  it("asks once for many, and not again for what it knows", async () => {
    const versions = createVersions();
    const found = await versions.findAll([1n, 2n, 3n, 1n]);
    expect([...found.keys()].sort()).to.deep.equal([1n, 2n, 3n]);
    expect(queries).to.have.length(1);
    await versions.findAll([3n, 2n]);
    expect(queries).to.have.length(1);
    await versions.findAll([3n, 4n]);
    expect(queries).to.have.length(2);
  });

  it("forgets what was used least recently when there are too many", async () => {
    const versions = createVersions(2);
    await versions.find(1n);
    await versions.find(2n);
    await versions.find(1n);
    await versions.find(3n);
    queries = [];
    await versions.findAll([1n, 3n]);
    expect(queries).to.have.length(0);
    await versions.find(2n);
    expect(queries).to.have.length(1);
  });

  it("needs no query for what it was told", async () => {
    const versions = createVersions();
    const told = toPriceVersion({ ...price("told"), version: 5n });
    versions.remember([told]);
    expect(await versions.find(5n)).to.equal(told);
    expect(queries).to.have.length(0);
  });
});

describe("price ids", () => {
  const named = (model: string, provider: string, effectiveTimeMs: number | null = null) =>
    toPriceVersion({ ...price(model, { provider, effectiveTimeMs }), version: 3n });

  it("name model, provider and start, and with the version what a record was priced with", () => {
    expect(formatPriceVersion(named("gpt-4o", "openai"))).to.equal("gpt-4o@openai#3");
    expect(formatPriceVersion(named("gpt-4o", ""))).to.equal("gpt-4o@*#3");
    expect(formatPriceVersion(named("gpt-4o", "", 0))).to.equal(
      "gpt-4o@*>1970-01-01T00:00:00.000Z#3",
    );
  });

  it("are different for every entry, whatever the names", () => {
    const texts = ["a", "*", "@", "a@b", "b@*", "%2A", ">1970-01-01T00:00:00.000Z", "b"];
    const ids = new Set<string>();
    for (const model of texts) {
      for (const provider of ["", ...texts]) {
        for (const time of [null, 0]) ids.add(named(model, provider, time).priceId);
      }
    }
    expect(ids.size).to.equal(texts.length * (texts.length + 1) * 2);
  });
});
