import { expect } from "chai";
import { RequestLogLevel } from "../../../gen/tally/v1/catalog_pb.js";
import {
  BudgetMeasure,
  BudgetScope,
  BudgetWindowKind,
  UsageStatus,
  UsageView,
} from "../../../gen/tally/v1/usage_pb.js";
import { RecordOutcome } from "../../../gen/tally/v1/usage_recorder_pb.js";
import { tryAdvisoryLock } from "../../../src/database/advisory-lock.js";
import { createLedgerVerifier } from "../../../src/operations/verify.js";
import { createVerifyStore } from "../../../src/operations/verify-store.js";
import { type DocumentInit, startTestApp, type TestApp } from "../../support/app.js";
import { expectBalancedBooks } from "../../support/books.js";
import { rpcFailure } from "../../support/rpc-failure.js";
import { USAGE_CATALOG } from "../usage-fixture.js";
import {
  countRows,
  daysAgo,
  partitionNames,
  purge,
  readStatistics,
  recordAges,
} from "./retention-fixture.js";

const BUDGETS: NonNullable<DocumentInit["budgets"]> = [
  { budgetId: "all", scope: BudgetScope.GLOBAL, measure: BudgetMeasure.REQUESTS },
  {
    budgetId: "acme",
    scope: BudgetScope.PROVIDER,
    subject: "acme",
    window: { kind: BudgetWindowKind.MONTH },
  },
];

/** Every third day of a year and more. */
const AGES = Array.from({ length: 140 }, (_, index) => index * 3);

describe("PurgeUsage", () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
    await app.apply({ budgets: BUDGETS });
  });
  afterEach(() => app.stop());

  it("removes records and drops their partitions, and moves no statistic", async () => {
    const told = await recordAges(app, AGES);
    const before = await readStatistics(app.database);
    const partitions = await partitionNames(app.database);
    const { records, done, cutoffTime } = await purge(app, { batchSize: 7 });
    const kept = AGES.filter((days) => days < 90).length;
    expect({ records, done }).to.deep.equal({ records: BigInt(AGES.length - kept), done: true });
    expect(Number(cutoffTime?.seconds)).to.be.closeTo(Number(daysAgo(90).seconds), 600);
    expect(await readStatistics(app.database)).to.deep.equal(before);
    expect(await countRows(app.database, "usage_records")).to.equal(kept);
    expect(await countRows(app.database, "usage_keys")).to.equal(AGES.length);
    const left = await partitionNames(app.database);
    expect(partitions.length - left.length).to.be.above(18);
    await expectBalancedBooks(app);
    const { purgedRecords, records: counted } = await app.clients.operations.verifyLedger({});
    expect({ purgedRecords, counted }).to.deep.equal({
      purgedRecords: records,
      counted: BigInt(kept),
    });
    const gone = await rpcFailure(
      app.clients.recorder.getUsage({ requestId: told.at(-1)!.requestId }),
    );
    expect(gone.reason).to.equal("USAGE_RECORD_NOT_FOUND");
    expect(await purge(app)).to.include({ records: 0n, partitions: 0n, done: true });
  });

  it("leaves nothing that VerifyLedger would not find", async () => {
    await recordAges(app, [200, 201, 1]);
    await purge(app);
    await expectBalancedBooks(app);
    const { knex } = app.database;
    for (const [table, figure, where] of [
      ["usage_rollups", "cost_input", "grain = 1 and bucket_time < now() - interval '90 days'"],
      ["usage_rollups", "output_tokens", "grain = 7"],
      ["budget_periods", "spent", "budget_id = 'acme'"],
      ["tally_purged.usage_rollups", "requests", "grain = 2"],
      ["tally_purged.usage_rollups", "attempts", "grain = 7"],
      ["purged_charges", "amount", "budget_id = 'all'"],
    ]) {
      const trx = await knex.transaction();
      await trx.raw(`update ${table} set ${figure} = ${figure} + 1
        where ctid = (select min(ctid) from ${table} where ${where})`);
      const store = createVerifyStore({ transaction: (work) => work(trx) });
      const { driftCount } = await createLedgerVerifier(store).verify({ maxDrifts: 1 });
      expect(driftCount > 0n, `drift of ${table}`).to.equal(true);
      await trx.rollback();
    }
  });

  it("answers a late retry as a replay, and refuses other content", async () => {
    const [old] = await recordAges(app, [100]);
    const before = await readStatistics(app.database);
    await purge(app);
    const { recorder } = app.clients;
    const { outcome } = await recorder.recordUsage({ usage: old! });
    expect(outcome).to.equal(RecordOutcome.REPLAYED);
    const changed = recorder.recordUsage({ usage: { ...old!, outputTokens: 7n } });
    expect((await rpcFailure(changed)).reason).to.equal("USAGE_RECORD_PURGED");
    expect(await readStatistics(app.database)).to.deep.equal(before);
    expect(await countRows(app.database, "usage_records")).to.equal(0);
    await expectBalancedBooks(app);
  });

  it("forgets a key with its record when nobody has told of it for long, else later", async () => {
    const [first, second] = await recordAges(app, [100, 100]);
    const age = (table: string, column: string, requestId: string, days: number) =>
      app.database.knex.raw(
        `update ${table} set ${column} = now() - make_interval(days => ?) where request_id = ?`,
        [days, requestId],
      );
    await age("usage_records", "updated_time", first!.requestId, 36);
    expect(await purge(app)).to.include({ records: 2n, keys: 0n });
    expect(await countRows(app.database, "usage_keys")).to.equal(1);
    await age("usage_keys", "last_told_time", second!.requestId, 34);
    expect(await purge(app)).to.include({ keys: 0n });
    await age("usage_keys", "last_told_time", second!.requestId, 36);
    expect(await purge(app)).to.include({ keys: 1n });
    expect(await countRows(app.database, "usage_keys")).to.equal(0);
  });

  it("leaves unfinished records, which are completed and charged as ever", async () => {
    const [pending] = await recordAges(app, [100], { status: UsageStatus.PENDING });
    expect(await purge(app)).to.include({ records: 0n });
    const { outcome } = await app.clients.recorder.recordUsage({
      usage: { ...pending!, status: UsageStatus.COMPLETED },
    });
    expect(outcome).to.equal(RecordOutcome.COMPLETED);
    expect(await purge(app)).to.include({ records: 1n });
    await expectBalancedBooks(app);
  });

  it("removes bodies after 7 days and headers after 90, by default", async () => {
    await app.apply({ settings: { requestLogLevel: RequestLogLevel.FULL } });
    const payload = { requestHeaders: { accept: "x" }, responseBody: { kind: bodyOf("text") } };
    const told = await recordAges(app, [6, 8, 80, 91], payload);
    expect(await purge(app, { daysToKeep: 200, batchSize: 1 })).to.include({
      records: 0n,
      bodies: 3n,
      headers: 1n,
    });
    const kept = [];
    for (const { requestId } of told) {
      const { record } = await app.clients.recorder.getUsage({ requestId, view: UsageView.FULL });
      const headers = Object.keys(record?.payload?.requestHeaders ?? {}).length;
      kept.push([headers, record?.payload?.responseBody === undefined ? 0 : 1]);
    }
    expect(kept).to.deep.equal([
      [1, 1],
      [1, 0],
      [1, 0],
      [0, 0],
    ]);
    expect(await countRows(app.database, "usage_payloads")).to.equal(3);
    expect(await purge(app)).to.include({ records: 1n });
    await app.apply({ settings: { bodyRetentionDays: 1, headerRetentionDays: 0 } });
    expect(await purge(app)).to.include({ bodies: 1n, headers: 0n });
  });

  it("writes to a month again whose partitions a purge has dropped", async () => {
    const second = await startTestApp({ replicaOf: app });
    try {
      for (const each of [app, second]) await recordAges(each, [150]);
      const names = await partitionNames(app.database);
      await purge(second);
      expect(await partitionNames(app.database)).to.have.length(names.length - 2);
      for (const each of [app, second]) await recordAges(each, [150]);
      expect(await countRows(app.database, "usage_records")).to.equal(2);
      await purge(app);
      await expectBalancedBooks(app);
    } finally {
      await second.stop();
    }
  });

  it("refuses a second purge while one is under way, and frees the way when it ends", async () => {
    const lock = await tryAdvisoryLock(app.database, "tally purge");
    const failure = await rpcFailure(purge(app));
    await lock?.release();
    expect(failure.reason).to.equal("TASK_UNDER_WAY");
    expect(await purge(app)).to.include({ done: true });
  });

  it("goes on where one was cut off", async () => {
    await recordAges(app, AGES);
    const before = await readStatistics(app.database);
    const { knex } = app.database;
    const cut = knex.raw(`
      create function cut_off() returns trigger language plpgsql as $$ begin
        if (select count(*) from usage_records) < 100 then
          perform pg_terminate_backend(pg_backend_pid());
        end if;
        return null;
      end $$;
      create trigger cut_off after insert on tally_purged.usage_rollups
        for each statement execute function cut_off();`);
    await cut;
    expect((await rpcFailure(purge(app, { batchSize: 10 }))).code).to.equal(14);
    const left = await countRows(app.database, "usage_records");
    expect(left).to.be.within(100, 110);
    await expectBalancedBooks(app);
    await knex.raw("drop trigger cut_off on tally_purged.usage_rollups");
    expect((await purge(app)).records).to.equal(BigInt(left - 30));
    expect(await readStatistics(app.database)).to.deep.equal(before);
    await expectBalancedBooks(app);
  });

  for (const [field, value] of [
    ["days_to_keep", { daysToKeep: -1 }],
    ["batch_size", { batchSize: 10_001 }],
  ] as const) {
    it(`refuses a ${field} that is out of range`, async () => {
      const failure = await rpcFailure(purge(app, value));
      expect(failure.message).to.include(field);
    });
  }
});

function bodyOf(text: string) {
  return { case: "stringValue", value: text } as const;
}
