import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import type {
  WatchBudgetAlertsRequestSchema,
  WatchBudgetAlertsResponse,
} from "../../gen/tally/v1/quota_checker_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { alertingUser, alertsOf, pricePlainModel, spend } from "./alert-fixture.js";
import { untilKnown } from "./quota-fixture.js";

/** A watch that a test reads step by step. */
interface Watch {
  /** The next alert, as "budget percent"; throws what ends the watch. */
  next(): Promise<string>;
  /** Ends it; the id to go on with. */
  end(): Promise<bigint>;
}

const ALL_PERCENTS = Array.from({ length: 16 }, (_, n) => 1 + n);

describe("a watch of alerts", () => {
  let app: TestApp;
  let other: TestApp;

  before(async () => {
    app = await startTestApp();
    await pricePlainModel(app);
    other = await startTestApp({ replicaOf: app });
  });
  after(async () => {
    await other.stop();
    await app.stop();
  });

  /** Resolves when the watch has begun. */
  async function watch(
    replica: TestApp,
    request: MessageInitShape<typeof WatchBudgetAlertsRequestSchema>,
  ): Promise<Watch> {
    const ending = new AbortController();
    const { signal } = ending;
    const stream = replica.clients.checker.watchBudgetAlerts(request, {
      signal,
      timeoutMs: 10_000,
    });
    const answers = stream[Symbol.asyncIterator]();
    async function read(): Promise<WatchBudgetAlertsResponse> {
      const { value, done } = await answers.next();
      if (done) throw new Error("the watch has ended");
      return value;
    }
    const first = await read();
    expect(first.alert).to.equal(undefined);
    let { lastAlertId } = first;
    return {
      async next() {
        const { alert, ...answer } = await read();
        expect(answer.lastAlertId).to.equal(alert!.alertId);
        expect(answer.lastAlertId > lastAlertId).to.equal(true);
        lastAlertId = answer.lastAlertId;
        return `${alert!.budgetId} ${alert!.thresholdPercent}`;
      },
      async end() {
        ending.abort();
        return lastAlertId;
      },
    };
  }

  async function take(from: Watch, count: number): Promise<string[]> {
    const taken: string[] = [];
    while (taken.length < count) taken.push(await from.next());
    return taken;
  }

  it("tells on every replica what any of them fires, each once and in one order", async () => {
    const users = await Promise.all(
      Array.from({ length: 8 }, () => alertingUser(app, { alertPercents: [20, 40, 60, 80] })),
    );
    for (const userId of users) await untilKnown(other, userId);
    const watches = await Promise.all([watch(app, {}), watch(other, {})]);
    await Promise.all(
      users.flatMap((userId, n) =>
        Array.from({ length: 20 }, (_, m) => spend([app, other][(n + m) % 2]!, userId, 4)),
      ),
    );
    const [here, there] = await Promise.all(watches.map((one) => take(one, 32)));
    expect(here).to.deep.equal(there);
    const expected = users.flatMap((userId) => [20, 40, 60, 80].map((p) => `${userId} ${p}`));
    expect([...here!].sort()).to.deep.equal(expected.sort());
    for (const one of watches) await one.end();
  });

  it("misses nothing and repeats nothing when its caller reconnects to the other replica", async () => {
    const userId = await alertingUser(app, { alertPercents: ALL_PERCENTS });
    await untilKnown(other, userId);
    const filter = { budgetId: userId };
    let current = await watch(app, { filter });
    const told: string[] = [];
    for (const [n] of ALL_PERCENTS.entries()) {
      await spend([app, other][n % 2]!, userId, 1);
      if (n % 5 !== 4) continue;
      told.push(await current.next());
      const afterAlertId = await current.end();
      const start = { case: "afterAlertId" as const, value: afterAlertId };
      current = await watch([other, app][n % 2]!, { filter, start });
    }
    told.push(...(await take(current, ALL_PERCENTS.length - told.length)));
    expect(told).to.deep.equal(ALL_PERCENTS.map((percent) => `${userId} ${percent}`));
    await current.end();
  });

  it("tells of an alert that is committed after younger ones were told", async () => {
    const [late, early] = [uniqueId("late"), uniqueId("early")];
    const alert = { period_start: new Date(0), scope: "USER", measure: "COST", spent: 1 };
    const row = (budgetId: string) => ({ ...alert, budget_id: budgetId, subject: budgetId });
    const current = await watch(app, {});
    const { knex } = app.database;
    const slow = await knex.transaction();
    await slow("budget_alerts").insert({ ...row(late), threshold_percent: 1 });
    await slow.raw("select pg_notify('tally_budget_alerts', '')");
    await knex.transaction(async (trx) => {
      await trx("budget_alerts").insert({ ...row(early), threshold_percent: 2 });
      await trx.raw("select pg_notify('tally_budget_alerts', '')");
    });
    expect(await current.next()).to.equal(`${early} 2`);
    await slow.commit();
    expect(await current.next()).to.equal(`${late} 1`);
    await current.end();
  });

  it("starts at a time, with the first that is kept, or with what comes", async () => {
    const userId = await alertingUser(app, { alertPercents: [10, 20, 30] });
    await spend(app, userId, 10);
    await spend(app, userId, 10);
    const filter = { budgetId: userId };
    const [first] = await alertsOf(app, userId);
    const startTime = timestampFromMs(timestampMs(first!.fireTime!));
    const all = [10, 20, 30].map((percent) => `${userId} ${percent}`);
    const watches = await Promise.all([
      watch(app, { filter, start: { case: "startTime", value: startTime } }),
      watch(app, { filter, start: { case: "afterAlertId", value: 0n } }),
      watch(other, { filter }),
    ]);
    await spend(app, userId, 10);
    expect(await take(watches[0]!, 3)).to.deep.equal(all);
    expect(await take(watches[1]!, 3)).to.deep.equal(all);
    expect(await watches[2]!.next()).to.equal(all[2]);
    for (const one of watches) await one.end();
  });

  it("tells of no alert that its filter does not ask for", async () => {
    const [one, two] = await Promise.all(
      [0, 1].map(() => alertingUser(app, { alertPercents: [10, 20] })),
    );
    const current = await watch(app, { filter: { budgetId: two! } });
    for (const userId of [one!, two!, one!, two!]) await spend(app, userId, 10);
    expect(await take(current, 2)).to.deep.equal([`${two} 10`, `${two} 20`]);
    await current.end();
  });

  it("survives the loss of the connection that it hears by", async () => {
    const userId = await alertingUser(app, { alertPercents: [10] });
    const current = await watch(app, { filter: { budgetId: userId } });
    await app.database.knex.raw(`
      select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and application_name = 'tally alerts'`);
    await spend(app, userId, 10);
    expect(await current.next()).to.equal(`${userId} 10`);
    await current.end();
  });

  it("ends with UNAVAILABLE when the server stops, for its caller to go to another", async () => {
    const third = await startTestApp({ replicaOf: app });
    const current = await watch(third, {});
    const failure = rpcFailure(current.next());
    await third.stop();
    expect(await failure).to.include({ code: Code.UNAVAILABLE, reason: "SHUTTING_DOWN" });
  });
});
