import { expect } from "chai";
import { BudgetScope, UsageStatus } from "../../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../../support/app.js";
import { expectBalancedBooks } from "../../support/books.js";
import { eventually } from "../../support/eventually.js";
import { rpcFailure } from "../../support/rpc-failure.js";
import { USAGE_CATALOG, usage } from "../usage-fixture.js";
import { countRows, daysAgo, partitionNames, purge, recordAges } from "./retention-fixture.js";

/** A year of days, and within each of them a few requests. */
const YEAR = Array.from({ length: 1_460 }, (_, index) => 91 + (index % 365));

/** How long somebody may wait for a lock that a purge holds or waits for. */
const MAX_WAIT_MS = 100;

describe("a purge while recording goes on", () => {
  let first: TestApp;
  let second: TestApp;

  beforeEach(async () => {
    first = await startTestApp();
    await first.apply(USAGE_CATALOG);
    await first.apply({ budgets: [{ budgetId: "all", scope: BudgetScope.GLOBAL }] });
    second = await startTestApp({ replicaOf: first });
  });
  afterEach(async () => {
    await second.stop();
    await first.stop();
  });

  it("loses no record, moves no statistic, fails nothing and holds nobody up", async () => {
    const old = await recordAges(first, YEAR, { userId: "old" });
    const purging = purge(second, { batchSize: 50 });
    const traffic = keepRecording([first, second], old);
    const waits = watchWaits(first);
    const { records } = await purging;
    const { recorded, revised } = await traffic.stop();
    const { longestMs, samples } = await waits.stop();

    expect(Number(records)).to.be.above(YEAR.length - 1);
    expect(recorded, "new records").to.be.above(10);
    expect(samples).to.be.above(20);
    expect(longestMs, "longest wait for a purge, ms").to.be.below(MAX_WAIT_MS);
    expect(revised.changed + revised.refused, "late words").to.be.above(5);
    await expectBalancedBooks(first);
    await purge(first);
    await expectBalancedBooks(first);
    const [{ requests }] = await first.database
      .knex("usage_rollups")
      .where({ grain: 4 })
      .select(first.database.knex.raw("sum(requests)::integer as requests"));
    expect(requests).to.equal(YEAR.length + recorded);
  });

  it("does not hold up writers while a long query keeps it from dropping partitions", async () => {
    await recordAges(first, YEAR.slice(0, 400));
    const count = (await partitionNames(first.database)).length;
    const reader = await first.database.knex.transaction();
    await reader.raw("select count(*) from usage_records");
    const purging = purge(second);
    const waits = watchWaits(first);
    const traffic = keepRecording([first], []);
    await eventually("a partition could not be dropped", async () => {
      const { rows } = await first.database.knex.raw(
        "select 1 from pg_locks where mode = 'AccessExclusiveLock' and not granted",
      );
      return rows.length > 0;
    });
    const before = traffic.recorded();
    await eventually("recording went on", () => traffic.recorded() > before + 20);
    await reader.rollback();
    const { done, partitions } = await purging;
    expect(done).to.equal(true);
    expect(partitions > 20n).to.equal(true);
    expect((await partitionNames(first.database)).length).to.equal(count - Number(partitions));
    await traffic.stop();
    expect((await waits.stop()).longestMs).to.be.below(MAX_WAIT_MS);
    await expectBalancedBooks(first);
  });

  it("takes turns with one on another replica", async () => {
    await recordAges(first, YEAR.slice(0, 600));
    const ends = await Promise.all(
      [first, second, first, second].map((app) =>
        purge(app, { batchSize: 20 }).catch((error) => rpcFailure(Promise.reject(error))),
      ),
    );
    const done = ends.filter((end) => "records" in end);
    const refused = ends.filter((end) => "reason" in end);
    expect(done.length).to.be.at.least(1);
    expect(refused.map((end) => end.reason)).to.deep.equal(refused.map(() => "TASK_UNDER_WAY"));
    expect(await countRows(first.database, "usage_records")).to.equal(0);
    await expectBalancedBooks(first);
  });
});

/** New records, late ones, and changes of old ones, until it is stopped. */
function keepRecording(apps: readonly TestApp[], old: readonly ReturnType<typeof usage>[]) {
  let [isStopping, recorded, turn] = [false, 0, 0];
  const revised = { changed: 0, refused: 0 };
  async function record(): Promise<void> {
    while (!isStopping) {
      turn += 1;
      const { recorder } = apps[turn % apps.length]!.clients;
      await recorder.recordUsage({ usage: usage() });
      await recorder.recordUsage({ usage: usage({ createTime: daysAgo(91 + (turn % 365)) }) });
      recorded += 2;
      const told = old[(turn * 37) % old.length];
      if (!told) continue;
      const late = { ...told, status: UsageStatus.FAILED, outputTokens: BigInt(turn) };
      await recorder.recordUsage({ usage: late }).then(
        () => {
          revised.changed += 1;
        },
        async (error) => {
          const { reason } = await rpcFailure(Promise.reject(error));
          expect(reason).to.equal("USAGE_RECORD_PURGED");
          revised.refused += 1;
        },
      );
    }
  }
  const writers = Promise.all([record(), record(), record()]);
  return {
    recorded: () => recorded,
    async stop() {
      isStopping = true;
      await writers;
      return { recorded, revised };
    },
  };
}

/** Looks again and again for sessions that wait for one that purges, and for how long. */
function watchWaits({ database }: TestApp) {
  let [isStopping, longestMs, samples] = [false, 0, 0];
  async function watch(): Promise<void> {
    while (!isStopping) {
      const { rows } = await database.knex.raw(WAITS);
      longestMs = Math.max(longestMs, rows[0].longest_ms);
      samples += 1;
    }
  }
  const watching = watch();
  return {
    async stop() {
      isStopping = true;
      await watching;
      return { longestMs, samples };
    },
  };
}

const WAITS = `
  select coalesce(max(extract(epoch from clock_timestamp() - l.waitstart)) * 1000, 0)::integer
    as longest_ms
  from pg_locks l
  where not l.granted and l.waitstart is not null and exists (
    select from unnest(pg_blocking_pids(l.pid)) b (pid)
    join pg_stat_activity a on a.pid = b.pid
    where a.query like '%purge_usage%' or a.query like '%drop_usage_partition%')`;
