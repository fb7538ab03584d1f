import { expect } from "chai";
import {
  DatabaseOccupiedError,
  generateHistory,
  type HistoryProgress,
  type HistoryRequest,
} from "../src/app-history.js";
import { loadConfig } from "../src/config.js";
import type { Database } from "../src/database/database.js";
import { createLedgerVerifier } from "../src/operations/verify.js";
import { createVerifyStore } from "../src/operations/verify-store.js";
import { startTestApp, toDatabaseUrl } from "./support/app.js";
import { expectBalancedBooks } from "./support/books.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "./support/postgres.js";

const REQUEST: HistoryRequest = {
  requests: 6_000,
  days: 20,
  users: 40,
  seed: 7,
  endMs: Date.parse("2026-03-08T00:00:00Z"),
  isForced: false,
};

describe("a generated history", function () {
  this.timeout(90_000);
  let test: TestDatabase;
  const progress: HistoryProgress[] = [];

  before(async () => {
    test = await createTestDatabase();
    const totals = await generate(test, {}, { onProgress: (step) => progress.push(step) });
    expect(totals.records).to.equal(REQUEST.requests);
    const [{ cost }] = await query(
      test.database,
      `select sum(cost_input + cost_output
      + cost_cache_creation + cost_cache_read + cost_request)::bigint as cost from usage_records`,
    );
    expect(totals.costNanoUsd).to.equal(cost);
  });
  after(() => test.drop());

  it("is what books add up to that are right, every budget and rollup of them", async () => {
    const verifier = createLedgerVerifier(createVerifyStore(test.database));
    const report = await verifier.verify({ maxDrifts: 5 });
    expect(report.drifts).to.deep.equal([]);
    expect(report.driftCount).to.equal(0n);
    expect(report.records).to.equal(BigInt(REQUEST.requests));
    expect(Number(report.budgetPeriods)).to.be.above(40);
    expect(Number(report.rollups)).to.be.above(6_000);
  });

  it("looks like a history: priced, skewed, with failures, caches, streams and discounts", async () => {
    const [figures] = await query(
      test.database,
      `
      select count(*)::int as records, count(distinct user_id)::int as users,
        min(created_time) >= '2026-02-16' and max(created_time) < '2026-03-08' as in_span,
        count(*) filter (where price_version is null)::int as unpriced,
        count(*) filter (where unknown_subjects is not null)::int as unknown,
        avg((status = 'FAILED')::int)::float as failed, avg(is_stream::int)::float as streams,
        avg((cache_read_tokens > 0)::int)::float as hits,
        count(*) filter (where actual_input < cost_input)::int as discounts
      from usage_records`,
    );
    expect(figures).to.include({ records: 6_000, in_span: true, unpriced: 0, unknown: 0 });
    expect(figures.users).to.be.above(30);
    expect(figures.failed).to.be.within(0.008, 0.025);
    expect(figures.streams).to.be.within(0.75, 0.85);
    expect(figures.hits).to.be.within(0.1, 0.8);
    expect(figures.discounts).to.be.above(500);
    const shares = await query(
      test.database,
      `
      select (count(*) * 100 / sum(count(*)) over ())::int as percent
      from usage_records group by user_id order by 1 desc`,
    );
    expect(shares[0].percent).to.be.above(3 * shares[20].percent);
  });

  it("told how far it was", () => {
    const phases = [...new Set(progress.map(({ phase }) => phase))];
    expect(phases).to.deep.equal(["catalog", "records", "rollups", "vacuum"]);
    const records = progress.filter(({ phase }) => phase === "records");
    expect(records.at(-1)).to.deep.equal({ phase: "records", done: 6_000, total: 6_000 });
    expect(progress.at(-2)).to.deep.equal({ phase: "rollups", done: 20, total: 20 });
  });

  it("is the same for the same seed, and another for another", async () => {
    const mine = await readRecords(test.database);
    const again = await createTestDatabase();
    const other = await createTestDatabase();
    try {
      await generate(again);
      expect(await readRecords(again.database)).to.equal(mine);
      await generate(other, { seed: 8 });
      expect(await readRecords(other.database)).to.not.equal(mine);
    } finally {
      await again.drop();
      await other.drop();
    }
  });

  it("is refused where there are records already, unless forced", async () => {
    const error = await generate(test).catch((thrown) => thrown);
    expect(error).to.be.instanceOf(DatabaseOccupiedError);
    expect(error.message).to.equal(
      "the database has records already; --force does it all the same",
    );
  });

  it("is refused while a server has the database open, which answers it once forced", async () => {
    const app = await startTestApp();
    try {
      const small = { requests: 300, days: 2 };
      const error = await generate(app, small).catch((thrown) => thrown);
      expect(error).to.be.instanceOf(DatabaseOccupiedError);
      expect(error.message).to.match(/^a server has the database open/);
      await generate(app, { ...small, isForced: true });
      expect((await expectBalancedBooks(app)).records).to.equal(300n);
    } finally {
      await app.stop();
    }
  });

  it("leaves records and budgets that agree when it is stopped, and no half of a chunk", async () => {
    const cut = await createTestDatabase();
    const stopping = new AbortController();
    const reason = new Error("enough");
    try {
      const parts = { signal: stopping.signal, onProgress: () => stopping.abort(reason) };
      const error = await generate(cut, {}, parts).catch((thrown) => thrown);
      expect(error).to.equal(reason);
      await generate(cut, { seed: 9, isForced: true });
      const report = await createLedgerVerifier(createVerifyStore(cut.database)).verify({
        maxDrifts: 5,
      });
      expect(report.drifts).to.deep.equal([]);
      const before = Number(report.records) - REQUEST.requests;
      expect(before).to.be.above(0).and.to.be.below(REQUEST.requests);
      expect(before % 2_500, "records of chunks").to.equal(0);
    } finally {
      await cut.drop();
    }
  });
});

function generate(
  { connection }: Pick<TestDatabase, "connection">,
  request: Partial<HistoryRequest> = {},
  parts: Partial<Parameters<typeof generateHistory>[2]> = {},
) {
  const config = loadConfig({ DATABASE_URL: toDatabaseUrl(connection) });
  return generateHistory(
    config,
    { ...REQUEST, ...request },
    { logger: silentLogger, onProgress() {}, signal: new AbortController().signal, ...parts },
  );
}

async function query({ knex }: Database, sql: string) {
  return (await knex.raw(sql)).rows;
}

/** All records as one hash, without the versions of prices, which count what was imported. */
async function readRecords(database: Database): Promise<string> {
  const [{ hash }] = await query(
    database,
    `
    select md5(string_agg((to_jsonb(r) - 'price_version')::text, ',' order by request_id)) as hash
    from usage_records r`,
  );
  return hash;
}
