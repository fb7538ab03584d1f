import { timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { BudgetAlertKind } from "../../gen/tally/v1/quota_checker_pb.js";
import {
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  BudgetWindowKind,
} from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import {
  alertingUser,
  alertsOf,
  percentsOf,
  pricePlainModel,
  spend,
  spending,
} from "./alert-fixture.js";
import { type BudgetInit, reserve, untilKnown } from "./quota-fixture.js";

const DAY_MS = 86_400_000;

describe("alerts of budgets", () => {
  let app: TestApp;
  let other: TestApp;

  before(async () => {
    app = await startTestApp();
    await pricePlainModel(app);
    other = await startTestApp({ replicaOf: app });
  });
  after(async () => {
    await expectBalancedBooks(app);
    await other.stop();
    await app.stop();
  });

  it("fire when posted spend reaches a threshold, and tell how it stood", async () => {
    const userId = await alertingUser(app, { limit: 1_000n, alertPercents: [50, 80] });
    await spend(app, userId, 499);
    expect(await alertsOf(app, userId)).to.deep.equal([]);
    const beforeMs = Date.now();
    await spend(app, userId, 1);
    const [alert, ...more] = await alertsOf(app, userId);
    expect(more).to.deep.equal([]);
    expect(alert).to.deep.include({
      kind: BudgetAlertKind.THRESHOLD,
      budgetId: userId,
      scope: BudgetScope.USER,
      subject: userId,
      measure: BudgetMeasure.COST,
      thresholdPercent: 50,
      limit: 1_000n,
      spent: 500n,
    });
    expect(timestampMs(alert!.periodStartTime!)).to.equal(0);
    expect(timestampMs(alert!.fireTime!)).to.be.within(beforeMs - 1_000, Date.now() + 1_000);
  });

  it("fire once, however many records on two replicas pass a threshold together", async () => {
    const userId = await alertingUser(app, { limit: 1_000n, alertPercents: [10, 50, 80, 100] });
    await untilKnown(other, userId);
    const replicas = [app, other];
    await Promise.all(Array.from({ length: 200 }, (_, n) => spend(replicas[n % 2]!, userId, 5)));
    const alerts = await alertsOf(app, userId);
    expect(alerts.map((alert) => alert.thresholdPercent)).to.deep.equal([10, 50, 80, 100]);
    for (const { thresholdPercent, spent } of alerts) {
      expect(spent >= BigInt(thresholdPercent) * 10n).to.equal(true);
    }
  });

  it("fire for every threshold that one batch passes", async () => {
    const userId = await alertingUser(app, { limit: 1_000n, alertPercents: [90, 25, 50] });
    const requests = Array.from({ length: 9 }, () => ({ usage: spending(userId, 60) }));
    await app.clients.recorder.batchRecordUsage({ requests });
    expect(await percentsOf(app, userId)).to.deep.equal([25, 50]);
  });

  it("fire for what is spent out of reservations", async () => {
    const userId = await alertingUser(app, { limit: 1_000n, alertPercents: [50] });
    const { reservationId } = await reserve(app, userId, 900n);
    expect(await percentsOf(app, userId)).to.deep.equal([]);
    await app.clients.recorder.recordUsage({ usage: spending(userId, 600), reservationId });
    expect(await percentsOf(app, userId)).to.deep.equal([50]);
  });

  it("do not fire anew when a revision takes spend back and it rises again", async () => {
    const userId = await alertingUser(app, { alertPercents: [50] });
    const requestId = await spend(app, userId, 60);
    await spend(app, userId, 10, { requestId });
    await spend(app, userId, 80);
    expect(await percentsOf(app, userId)).to.deep.equal([50]);
  });

  it("fire again in the next period", async () => {
    const window = { kind: BudgetWindowKind.DAY, timeZone: "UTC" };
    const userId = await alertingUser(app, { window, alertPercents: [50] });
    const todayMs = Math.floor(Date.now() / DAY_MS) * DAY_MS;
    const days = [todayMs - 2 * DAY_MS, todayMs - DAY_MS];
    for (const dayMs of days) {
      for (const hour of [1, 2]) {
        const createTime = timestampFromMs(dayMs + hour * 3_600_000);
        await spend(app, userId, 60, { createTime });
      }
    }
    const alerts = await alertsOf(app, userId);
    expect(alerts.map((alert) => timestampMs(alert.periodStartTime!))).to.deep.equal(days);
  });

  it("tell of a SOFT budget that its limit is reached, though nobody asked", async () => {
    const userId = await alertingUser(app, { enforcement: BudgetEnforcement.SOFT });
    await spend(app, userId, 99);
    expect(await percentsOf(app, userId)).to.deep.equal([]);
    await spend(app, userId, 2);
    expect(await percentsOf(app, userId)).to.deep.equal([100]);
    const hard = await alertingUser(app, {});
    await spend(app, hard, 200);
    expect(await percentsOf(app, hard)).to.deep.equal([]);
  });

  it("reckon thresholds exactly, up to the largest limit", async () => {
    const userId = await alertingUser(app, { limit: 10n ** 18n, alertPercents: [1_000] });
    const tiny = await alertingUser(app, { limit: 0n, alertPercents: [1] });
    const odd = await alertingUser(app, { limit: 33n, alertPercents: [50] });
    await spend(app, odd, 16);
    await spend(app, tiny, 0);
    for (const id of [tiny, odd, userId]) expect(await percentsOf(app, id), id).to.deep.equal([]);
    await spend(app, odd, 1);
    await spend(app, tiny, 1);
    await spend(app, userId, 1);
    expect(await percentsOf(app, odd)).to.deep.equal([50]);
    expect(await percentsOf(app, tiny)).to.deep.equal([1]);
    expect(await percentsOf(app, userId)).to.deep.equal([]);
  });

  describe("when a budget changes", () => {
    it("fire at once for what a lowered limit or a new threshold finds reached", async () => {
      const userId = await alertingUser(app, { alertPercents: [80] });
      await spend(app, userId, 60);
      await alertingUser(app, { alertPercents: [50, 80] }, userId);
      expect(await percentsOf(app, userId)).to.deep.equal([50]);
      await alertingUser(app, { alertPercents: [50, 80], limit: 70n }, userId);
      const alerts = await alertsOf(app, userId);
      expect(alerts.map((alert) => alert.thresholdPercent)).to.deep.equal([50, 80]);
      expect(alerts[1]).to.deep.include({ limit: 70n, spent: 60n });
    });

    it("do not fire for a period that is over", async () => {
      const window = { kind: BudgetWindowKind.DAY, timeZone: "UTC" };
      const userId = await alertingUser(app, { window, alertPercents: [80] });
      const createTime = timestampFromMs(Date.now() - 2 * DAY_MS);
      await spend(app, userId, 60, { createTime });
      await alertingUser(app, { window, alertPercents: [80], limit: 70n }, userId);
      expect(await percentsOf(app, userId)).to.deep.equal([]);
    });

    it("fire again for thresholds that a raised limit put out of reach, and for no others", async () => {
      const userId = await alertingUser(app, { alertPercents: [10, 80] });
      await spend(app, userId, 85);
      await alertingUser(app, { alertPercents: [10, 80], limit: 200n }, userId);
      await spend(app, userId, 50);
      expect(await percentsOf(app, userId)).to.deep.equal([10, 80]);
      await spend(app, userId, 25);
      const alerts = await alertsOf(app, userId);
      expect(alerts.map((alert) => alert.thresholdPercent)).to.deep.equal([10, 80, 80]);
      expect(alerts.map((alert) => alert.limit)).to.deep.equal([100n, 100n, 200n]);
    });

    it("fire once, though the limit moves up and down while many records post", async () => {
      const userId = await alertingUser(app, { limit: 2_000n, alertPercents: [50] });
      await untilKnown(other, userId);
      const limits = [1_900n, 1_800n, 1_700n, 1_600n, 1_500n];
      await Promise.all([
        ...Array.from({ length: 100 }, (_, n) => spend([app, other][n % 2]!, userId, 10)),
        (async () => {
          for (const limit of limits) {
            await alertingUser(app, { limit, alertPercents: [50] }, userId);
          }
        })(),
      ]);
      expect(await percentsOf(app, userId)).to.deep.equal([50]);
    });
  });

  describe("listed", () => {
    it("come newest first, in pages that neither miss nor repeat any while more fire", async () => {
      const [, ...users] = await Promise.all(
        Array.from({ length: 6 }, () => alertingUser(app, { alertPercents: [1] })),
      );
      const team = uniqueId("team");
      const budget = { budgetId: team, scope: BudgetScope.TAG, subject: `team=${team}` };
      const alertPercents = Array.from({ length: 10 }, (_, n) => 1 + n);
      await app.apply({ budgets: [{ ...budget, limit: 100n, alertPercents } as BudgetInit] });
      await spend(app, users[0]!, 10, { tags: { team } });
      const request = { filter: { budgetId: team }, pageSize: 4 };
      const pages: number[][] = [];
      let pageToken = "";
      do {
        const page = await app.clients.checker.listBudgetAlerts({ ...request, pageToken });
        pages.push(page.alerts.map((alert) => alert.thresholdPercent));
        pageToken = page.nextPageToken;
        await spend(app, users[pages.length]!, 50);
      } while (pageToken !== "");
      expect(pages).to.deep.equal([
        [10, 9, 8, 7],
        [6, 5, 4, 3],
        [2, 1],
      ]);
    });

    it("take no page token of another question, and no other text", async () => {
      const userId = await alertingUser(app, { alertPercents: [1, 2] });
      await spend(app, userId, 2);
      const { checker } = app.clients;
      const first = await checker.listBudgetAlerts({ filter: { budgetId: userId }, pageSize: 1 });
      for (const pageToken of [first.nextPageToken, "abc"]) {
        const failure = await rpcFailure(checker.listBudgetAlerts({ pageToken }));
        expect(failure.reason).to.equal("INVALID_FIELD");
        const fields = failure.details.badRequest?.fieldViolations.map(({ field }) => field);
        expect(fields).to.deep.equal(["page_token"]);
      }
      const failure = await rpcFailure(checker.listBudgetAlerts({ filter: { subject: "x" } }));
      expect(failure.message).to.contain("scope: is required when subject is given");
    });

    it("are those of the scope, the subject and the time that is asked for", async () => {
      const one = await alertingUser(app, { alertPercents: [10] });
      const two = await alertingUser(app, { alertPercents: [10] });
      await spend(app, one, 10);
      await spend(app, two, 10);
      const [first] = await alertsOf(app, one);
      const subject = { scope: BudgetScope.USER, subject: one };
      const { checker } = app.clients;
      const ids = async (request: Parameters<typeof checker.listBudgetAlerts>[0]) =>
        (await checker.listBudgetAlerts(request)).alerts.map(({ alertId }) => alertId);
      expect(await ids({ filter: subject })).to.deep.equal([first!.alertId]);
      expect(await ids({ filter: { ...subject, scope: BudgetScope.MODEL } })).to.deep.equal([]);
      const fireTime = first!.fireTime!;
      const later = timestampFromMs(timestampMs(fireTime) + 1);
      expect(await ids({ filter: subject, startTime: fireTime, endTime: later })).to.have.length(1);
      expect(await ids({ filter: subject, startTime: later })).to.deep.equal([]);
      expect(await ids({ filter: subject, endTime: fireTime })).to.deep.equal([]);
    });
  });
});

describe("alerts of a budget that is reset", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    await pricePlainModel(app);
  });
  after(() => app.stop());

  it("fire again", async () => {
    const userId = await alertingUser(app, { alertPercents: [10, 80] });
    await spend(app, userId, 90);
    await app.database.knex.raw("select reset_budget_period(?, 'epoch', ?, 'test')", [
      userId,
      uniqueId("reset"),
    ]);
    await spend(app, userId, 5);
    expect(await percentsOf(app, userId)).to.deep.equal([10, 80]);
    await spend(app, userId, 10);
    expect(await percentsOf(app, userId)).to.deep.equal([10, 80, 10]);
  });
});
