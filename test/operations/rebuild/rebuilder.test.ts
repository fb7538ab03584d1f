import { expect } from "chai";
import type { Database } from "../../../src/database/database.js";
import { createRebuildStore } from "../../../src/operations/rebuild/rebuild-store.js";
import {
  createRollupRebuilder,
  type RebuildProgress,
} from "../../../src/operations/rebuild/rebuilder.js";
import { createLedgerVerifier } from "../../../src/operations/verify.js";
import { createVerifyStore } from "../../../src/operations/verify-store.js";
import { createUsagePurger } from "../../../src/usage/retention/retention.js";
import { createRetentionStore } from "../../../src/usage/retention/retention-store.js";
import { isFinished, type UsageRecord } from "../../../src/usage/usage-record.js";
import { eventually } from "../../support/eventually.js";
import { createTestDatabase, type TestDatabase } from "../../support/postgres.js";
import { insertTestBudgets, recordAll, replaceAll, sampleRecords } from "../ledger-fixture.js";
import { readRollups } from "./rollup-rows.js";

/** Ways to spoil rollups; each changes some rows. */
const DAMAGES: Readonly<Record<string, string>> = {
  "all rows are gone": "delete from usage_rollups",
  "sums are doubled": `update usage_rollups set requests = requests * 2,
    cost_input = cost_input * 2, response_times = response_times * 2`,
  "one grain is gone": "delete from usage_rollups where grain = 5",
  "months are others": `update usage_rollups set bucket_time = bucket_time + interval '92 days'
    where grain in (3, 7, 9)`,
  "quarter-hours begin later": `update usage_rollups
    set bucket_time = bucket_time + interval '7 minutes' where grain = 1`,
  "last uses are earlier and later": `update usage_rollups
    set last_time = last_time + case when failed then interval '1 hour' else - interval '1 day' end`,
  "tags are gone": "update usage_rollups set tags = null where tags is not null",
  "sketches are gone": "update usage_rollups set response_times = null, first_byte_times = null",
  "rows are made up in two slots": `update usage_rollups set provider = 'nobody', tag = 'a=b'
    where grain = 2`,
};

describe("a rebuild of rollups", function () {
  this.timeout(60_000);
  let test: TestDatabase;
  let database: Database;
  const records = moderateRecords(400, 11).slice(0, 120);

  beforeEach(async () => {
    test = await createTestDatabase();
    database = test.database;
    await insertTestBudgets(database);
    await recordAll(database, records.slice(0, 60), 0);
    await recordAll(database, records.slice(60), 1);
  });
  afterEach(() => test.drop());

  it("changes nothing that is right, and counts days and records", async () => {
    const before = await readRollups(database);
    const { corrected, isDone, days, totalDays, records: counted } = await rebuild(database);
    expect({ corrected, isDone }).to.deep.equal({ corrected: 0n, isDone: true });
    expect(days).to.equal(totalDays).and.to.be.above(5);
    expect(counted).to.equal(BigInt(records.filter(({ status }) => isFinished(status)).length));
    expect(await readRollups(database)).to.deep.equal(before);
  });

  it("brings back the same figures, whatever was changed behind its back", async () => {
    const before = await readRollups(database);
    for (const [what, damage] of Object.entries(DAMAGES)) {
      const { rowCount } = await database.knex.raw(damage);
      expect(rowCount, what).to.be.above(0);
      expect(await readRollups(database), what).to.not.deep.equal(before);
      const { corrected } = await rebuild(database);
      expect(Number(corrected), what).to.be.above(0);
      expect(await readRollups(database), what).to.deep.equal(before);
    }
    await expectRightBooks(database);
    const madeUp = await database.knex("usage_rollups").where({ provider: "nobody" });
    expect(madeUp, "rows that were made up").to.deep.equal([]);
  });

  it("keeps what purged records added", async () => {
    const before = await readRollups(database);
    const purger = createUsagePurger(createRetentionStore(database));
    const limits = { bodyDays: 1, headerDays: 1, recordDays: 1, keyDays: 1 };
    for await (const _ of purger.purge({ trigger: "CALL", limits, batchSize: 100 }));
    const left = await database.knex("usage_records").whereNotNull("finished_time");
    expect(left).to.deep.equal([]);

    await database.knex.raw("delete from usage_rollups where grain <> 4");
    await rebuild(database);
    expect(await readRollups(database)).to.deep.equal(before);
    await expectRightBooks(database);
  });

  it("adds to what is recorded between its look at a row and its turn to write it", async () => {
    await database.knex.raw("update usage_rollups set requests = requests + 5, last_time = now()");
    const recording = await database.knex.transaction();
    const last = records.filter(({ status }) => isFinished(status)).at(-1)!;
    const twin = { ...last, requestId: "twin", createTimeUs: last.createTimeUs + 1 };
    await recordAll({ ...database, knex: recording }, [twin], 0);
    const rebuilding = rebuild(database);
    await waitForBlocked(database);
    await recording.commit();
    await rebuilding;
    await expectRightBooks(database);
  });

  it("loses and doubles nothing of what is recorded and revised meanwhile", async () => {
    await database.knex.raw("update usage_rollups set requests = requests + 5, cost_input = 3");
    const recording = keepRecording(database, records.slice(0, 40));
    await rebuild(database);
    await recording.atLeast(10);
    await rebuild(database);
    await recording.stop();
    await expectRightBooks(database);
  });

  it("can be cut off after any day, and then be begun anew", async () => {
    const before = await readRollups(database);
    await database.knex.raw("update usage_rollups set requests = requests + 5");
    const rebuilder = createRollupRebuilder(createRebuildStore(database));
    for await (const { days } of rebuilder.rebuild(new AbortController().signal)) {
      if (days === 3) break;
    }
    const ending = new AbortController();
    const reason = new Error("enough");
    const steps = rebuilder.rebuild(ending.signal);
    await steps.next();
    ending.abort(reason);
    expect(await steps.next().catch((error) => error)).to.equal(reason);
    expect(await readRollups(database)).to.not.deep.equal(before);
    await rebuild(database);
    expect(await readRollups(database)).to.deep.equal(before);
  });

  it("leaves a step undone as a whole when its connection is cut, and lets another begin", async () => {
    const before = await readRollups(database);
    await database.knex.raw("update usage_rollups set requests = requests + 5");
    const blocker = await database.knex.transaction();
    await blocker("usage_rollups").where({ grain: 8 }).forUpdate();
    const cut = rebuild(database).then(
      () => "done",
      () => "cut",
    );
    await waitForBlocked(database);
    await database.knex.raw(`select pg_terminate_backend(pid) from pg_locks
      where locktype = 'advisory' and pid <> pg_backend_pid()`);
    expect(await cut).to.equal("cut");
    await blocker.rollback();
    await rebuild(database);
    expect(await readRollups(database)).to.deep.equal(before);
  });

  it("refuses to begin while another is under way", async () => {
    const rebuilder = createRollupRebuilder(createRebuildStore(database));
    const steps = rebuilder.rebuild(new AbortController().signal);
    await steps.next();
    const second = await rebuild(database).catch((error) => error);
    expect(second).to.include({ reason: "TASK_UNDER_WAY" });
    await steps.return(undefined);
    expect(await rebuild(database)).to.include({ isDone: true });
  });
});

async function rebuild(database: Database): Promise<RebuildProgress> {
  const rebuilder = createRollupRebuilder(createRebuildStore(database));
  let last: RebuildProgress | undefined;
  for await (last of rebuilder.rebuild(new AbortController().signal));
  return last!;
}

async function expectRightBooks(database: Database): Promise<void> {
  const verifier = createLedgerVerifier(createVerifyStore(database));
  expect((await verifier.verify({ maxDrifts: 5 })).drifts).to.deep.equal([]);
}

/** Without those that cost so much that a few hundred of them pass 64 bits. */
function moderateRecords(count: number, seed: number): UsageRecord[] {
  return sampleRecords(count, seed).filter(
    ({ cost, actualCost }) => cost.totalNanoUsd + actualCost.totalNanoUsd < 10n ** 15n,
  );
}

/** Until a rebuild waits for a row that somebody else holds. */
async function waitForBlocked(database: Database): Promise<void> {
  await eventually("the rebuild waits", async () => {
    const { rows } = await database.knex.raw(`select 1 from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`);
    return rows.length > 0;
  });
}

/** Writes new records, and revises given ones, until it is stopped. */
function keepRecording(database: Database, revised: readonly UsageRecord[]) {
  let [isStopping, rounds] = [false, 0];
  const versions = new Map(revised.map(({ requestId, version }) => [requestId, version]));
  async function run(): Promise<void> {
    while (!isStopping) {
      const fresh = moderateRecords(12, 1_000 + rounds).map((record, index) => ({
        ...record,
        requestId: `new-${rounds}-${index}`,
      }));
      await recordAll(database, fresh, rounds % 3);
      const old = revised[(rounds * 7) % revised.length]!;
      const version = versions.get(old.requestId)! + 1n;
      versions.set(old.requestId, version);
      const [content = old] = fresh;
      await replaceAll(database, [{ ...content, requestId: old.requestId, version }], rounds % 2);
      rounds += 1;
    }
  }
  const running = run();
  return {
    atLeast: (count: number) => eventually("recording goes on", () => rounds >= count),
    async stop() {
      isStopping = true;
      await running;
    },
  };
}
