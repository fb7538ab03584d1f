import { expect } from "chai";
import type { Database } from "../../src/database/database.js";
import { createLedgerVerifier } from "../../src/operations/verify.js";
import { createVerifyStore } from "../../src/operations/verify-store.js";
import { createUsageStore } from "../../src/usage/usage-store.js";
import {
  holdOf,
  insertLease,
  insertTestBudgets,
  recordAll,
  sampleRecords,
} from "../operations/ledger-fixture.js";
import { eventually } from "../support/eventually.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";

const PERIOD = { budget_id: "all", period_start: "1970-01-01T00:00:00.000Z" };

describe("the posting functions", () => {
  let testDatabase: TestDatabase;
  let database: Database;

  beforeEach(async () => {
    testDatabase = await createTestDatabase();
    database = testDatabase.database;
    await insertTestBudgets(database);
  });
  afterEach(() => testDatabase.drop());

  async function expectLeased(amount: bigint): Promise<void> {
    const [period] = await database.knex("budget_periods").where(PERIOD).select("leased");
    const [lease] = await database.knex("budget_leases").where(PERIOD).select("amount");
    expect([period.leased, lease.amount]).to.deep.equal([amount, amount]);
    const verifier = createLedgerVerifier(createVerifyStore(database));
    expect((await verifier.verify({ maxDrifts: 5 })).drifts).to.deep.equal([]);
  }

  it("settle a reservation once, when two records of one batch come with it", async () => {
    const lease = { budgetId: "all", periodStart: PERIOD.period_start, replicaId: "one" };
    const hold = holdOf({
      ...PERIOD,
      reservation_id: "01900000-0000-7000-8000-000000000001",
      lease_id: await insertLease(database, { ...lease, amount: 1_000 }),
      held: "400",
    });
    const [first, second] = sampleRecords(2, 4).map((record) => ({
      ...record,
      status: "COMPLETED" as const,
    }));
    await recordAll(database, [first!, second!], 0, [hold]);
    await expectLeased(600n);
    await recordAll(database, [{ ...first!, requestId: "later" }], 0, [hold]);
    await expectLeased(600n);
  });

  it("lock periods in order, those that are new included", async () => {
    const { knex } = database;
    const holds = `array[row('01900000-0000-7000-8000-000000000001', now(), 1, 'b', 'epoch', 0)
      ::reservation_hold]`;
    await knex("budget_periods").insert({ budget_id: "b", period_start: new Date(0) });
    const other = await knex.transaction();
    try {
      await other("budget_periods").insert({ budget_id: "a", period_start: new Date(0) });
      const posted = knex.raw(`
        select post_charges(array[row('a', 'epoch', 5)::budget_charge], ${holds})`);
      const isAnswered = posted.then(() => true);
      await eventually("the posting waits for the other's row", async () => {
        const { rows } = await knex.raw(`
          select from pg_stat_activity where datname = current_database()
            and wait_event_type = 'Lock' and query like '%post_charges%'`);
        return rows.length === 1;
      });
      // It holds nothing that comes later, so the other one can go on to that.
      await other.raw("select from budget_periods where budget_id = 'b' for update nowait");
      await other.commit();
      expect(await isAnswered).to.equal(true);
    } finally {
      if (!other.isCompleted()) await other.rollback();
    }
    const periods = await knex("budget_periods").orderBy("budget_id").select("budget_id", "spent");
    expect(periods).to.deep.equal([
      { budget_id: "a", spent: 5n },
      { budget_id: "b", spent: 0n },
    ]);
  });
});

describe("ensure_usage_partition", () => {
  let testDatabase: TestDatabase;
  let database: Database;

  before(async () => {
    testDatabase = await createTestDatabase({ statementTimeoutMs: 5_000 });
    database = testDatabase.database;
  });
  after(() => testDatabase.drop());

  it("waits for no reader and no writer, and they do not wait for it", async () => {
    const store = createUsageStore(database);
    await store.ensurePartition("2026-01-01");
    const reader = await database.knex.transaction();
    const maker = await database.knex.transaction();
    try {
      await reader.raw("select count(*) from usage_records");
      await reader.raw("lock table usage_records, usage_payloads in row exclusive mode");
      await maker.raw("select ensure_usage_partition('2026-02-01')");
      await reader.raw("select count(*) from usage_records");
      await recordAll(database, []);
    } finally {
      await maker.commit();
      await reader.rollback();
    }
    expect((await store.listPartitions()).sort()).to.deep.equal(["2026-01-01", "2026-02-01"]);
  });

  it("makes partitions like those of the parent, of the whole month and nothing else", async () => {
    const store = createUsageStore(database);
    await store.ensurePartition("2028-02-29");
    await store.ensurePartition("2028-02-01");
    const { rows } = await database.knex.raw(`
      select c.relname, pg_get_expr(c.relpartbound, c.oid) as bounds,
        (select count(*) from pg_index i where i.indrelid = c.oid) =
          (select count(*) from pg_index i where i.indrelid = h.inhparent) as "isIndexedAlike"
      from pg_class c join pg_inherits h on h.inhrelid = c.oid
      where c.relname like 'usage%2028_02' order by c.relname`);
    const bounds = "FOR VALUES FROM ('2028-02-01 00:00:00+00') TO ('2028-03-01 00:00:00+00')";
    expect(rows).to.deep.equal([
      { relname: "usage_payloads_2028_02", bounds, isIndexedAlike: true },
      { relname: "usage_records_2028_02", bounds, isIndexedAlike: true },
    ]);
  });
});
