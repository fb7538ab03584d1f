import { expect } from "chai";
import fc from "fast-check";
import type { GetDailyActivityResponse } from "../../../gen/tally/v1/analytics_pb.js";
import { UserRole } from "../../../gen/tally/v1/catalog_pb.js";
import type { Database } from "../../../src/database/database.js";
import { toRecord } from "../../operations/ledger-arbitraries.js";
import { clearUsage, recordAll } from "../../operations/ledger-fixture.js";
import { startTestApp, type TestApp } from "../../support/app.js";
import { eventually } from "../../support/eventually.js";
import { startTestRedis, type TestRedis } from "../../support/redis.js";
import { rpcFailure } from "../../support/rpc-failure.js";
import { contents, ZONES } from "../history.js";

/** Berlin's day of 23 hours is among the last. */
const NOW_MS = Date.UTC(2026, 2, 31, 21, 30);

/** A day as plain SQL counts it. */
interface PlainDay {
  readonly date: string;
  readonly figures: readonly bigint[];
}

/** Days of a time zone, counted by asking PostgreSQL which date each record bears. */
async function askRecords(
  { knex }: Database,
  question: { readonly userId: string; readonly timeZone: string; readonly days: number },
): Promise<PlainDay[]> {
  const { rows } = await knex.raw(
    `with days as (
      select (to_timestamp(?) at time zone :zone)::date - n as date
      from generate_series(0, :days - 1) n
    )
    select to_char(d.date, 'YYYY-MM-DD') as date, array[
      count(r) filter (where not is_retried),
      count(r) filter (where not is_retried and status = 'FAILED'),
      coalesce(sum(input_tokens + output_tokens + cache_creation_tokens + cache_read_tokens), 0),
      coalesce(sum(cost_input + cost_output + cost_cache_creation + cost_cache_read
        + cost_request), 0),
      coalesce(sum(actual_input + actual_output + actual_cache_creation + actual_cache_read
        + actual_request), 0)]::text[] as figures
    from days d left join usage_records r
      on (r.created_time at time zone :zone)::date = d.date
      and status in ('COMPLETED', 'FAILED') and (:user = '' or user_id = :user)
    group by 1 order by 1`.replace("?", `${NOW_MS / 1_000}`),
    { zone: question.timeZone, days: question.days, user: question.userId },
  );
  return (rows as { date: string; figures: string[] }[]).map(({ date, figures }) => ({
    date,
    figures: figures.map(BigInt),
  }));
}

function plainDays({ days }: GetDailyActivityResponse): PlainDay[] {
  return days.map((day) => ({
    date: day.date,
    figures: [
      day.requests,
      day.failures,
      day.totalTokens,
      day.costNanoUsd,
      day.actualCostNanoUsd ?? -1n,
    ],
  }));
}

describe("GetDailyActivity", () => {
  let redis: TestRedis;
  let app: TestApp;
  let other: TestApp;
  before(async () => {
    redis = await startTestRedis();
    const env = { REDIS_URL: redis.url, TALLY_REDIS_TIMEOUT: "5s" };
    app = await startTestApp({ env, nowMs: () => NOW_MS });
    other = await startTestApp({ env, nowMs: () => NOW_MS, replicaOf: app });
    await eventually("both are connected", async () => {
      await Promise.all([app, other].map(({ clients }) => clients.analytics.getDailyActivity({})));
      const clients = String(await redis.client.call("CLIENT", "LIST"));
      return clients.split("name=tally ").length === 3;
    });
  });
  after(async () => {
    await other.stop();
    await app.stop();
    await redis.stop();
  });
  beforeEach(() => app.clients.analytics.invalidateActivityCache(all()));

  function all() {
    return { scope: { case: "all" as const, value: true as const } };
  }

  async function cachedKeys(): Promise<string[]> {
    return (await redis.client.keys("*")).sort();
  }

  it("tells every day as the records do, in every zone", async () => {
    const question = fc.record({
      userId: fc.constantFrom("", "u1", "nobody"),
      timeZone: fc.constantFrom(...ZONES),
      days: fc.constantFrom(1, 2, 30, 365, 400),
    });
    const cases = fc.tuple(
      fc.array(contents, { minLength: 40, maxLength: 60 }),
      fc.array(question, { minLength: 12, maxLength: 12 }),
    );
    await fc.assert(
      fc.asyncProperty(cases, async ([history, questions]) => {
        await clearUsage(app.database);
        await app.clients.analytics.invalidateActivityCache(all());
        await recordAll(
          app.database,
          history.map((content, index) => toRecord(content, `r${index}`)),
        );
        for (const { userId, timeZone, days } of questions) {
          const answer = await app.clients.analytics.getDailyActivity({
            userId,
            timeZone,
            windowDays: days,
            includeActualCost: true,
          });
          const plain = await askRecords(app.database, { userId, timeZone, days });
          expect(plainDays(answer)).to.deep.equal(plain);
          expect(answer.totalDays).to.equal(days);
          expect(answer.startDate).to.equal(plain[0]?.date);
          expect(answer.endDate).to.equal(plain.at(-1)?.date);
          const most = plain.reduce((max, { figures: [n = 0n] }) => (n > max ? n : max), 0n);
          expect(answer.maxRequests).to.equal(most);
          const again = await other.clients.analytics.getDailyActivity({
            userId,
            timeZone,
            windowDays: days,
            includeActualCost: true,
          });
          expect(again).to.deep.equal(answer);
        }
      }),
      { numRuns: 3, endOnFailure: true },
    );
  });

  it("keeps answers for 5 minutes, for all replicas, under the documented keys", async () => {
    const { analytics } = app.clients;
    const before = await analytics.getDailyActivity({ userId: "u1", includeActualCost: true });
    await analytics.getDailyActivity({ userId: "u1", timeZone: "etc/utc", windowDays: 7 });
    await analytics.getDailyActivity({ timeZone: "Asia/Kathmandu" });
    await analytics.getDailyActivity({ includeActualCost: true });
    expect(await cachedKeys()).to.deep.equal([
      "activity_heatmap:admin:all:no_cost:Asia/Kathmandu",
      "activity_heatmap:admin:all:with_cost",
      "activity_heatmap:user:u1:no_cost",
      "activity_heatmap:user:u1:with_cost",
    ]);
    const ttlMs = await redis.client.pttl("activity_heatmap:user:u1:with_cost");
    expect(ttlMs).to.be.within(240_000, 300_000);
    await app.clients.recorder.recordUsage({
      usage: { requestId: "late", userId: "u1", provider: "p", model: "m" },
    });
    const kept = await other.clients.analytics.getDailyActivity({
      userId: "u1",
      includeActualCost: true,
    });
    expect(kept).to.deep.equal(before);
    const removal = await other.clients.analytics.invalidateActivityCache({
      scope: { case: "userId", value: "u1" },
    });
    expect(removal).to.deep.include({ removedEntries: 2n, isComplete: true });
    expect(await cachedKeys()).to.have.length(2);
    const counted = await analytics.getDailyActivity({ userId: "u1", includeActualCost: true });
    expect(counted.days.at(-1)?.requests).to.equal((before.days.at(-1)?.requests ?? 0n) + 1n);
    const rest = await analytics.invalidateActivityCache(all());
    expect(rest.removedEntries).to.equal(3n);
  });

  it("leaves entries of users with similar ids alone", async () => {
    const ids = ["a", "a:no_cost", "a*", "[a]", "a:with_cost:UTC"];
    for (const userId of ids) await app.clients.analytics.getDailyActivity({ userId });
    for (const userId of ids) {
      const removal = await app.clients.analytics.invalidateActivityCache({
        scope: { case: "userId", value: userId },
      });
      expect(removal.removedEntries, userId).to.equal(1n);
    }
  });

  it("drops an entry that is broken and counts anew", async () => {
    const key = "activity_heatmap:user:u1:no_cost";
    const ask = () => app.clients.analytics.getDailyActivity({ userId: "u1" });
    const answer = await ask();
    const good = JSON.parse((await redis.client.get(key)) ?? "");
    const broken = [
      "",
      "{",
      "null",
      '"text"',
      "[]",
      "\0\xff",
      JSON.stringify({ ...good, format: 2 }),
      JSON.stringify({ ...good, userId: "u2" }),
      JSON.stringify({ ...good, endDate: "today" }),
      JSON.stringify({ ...good, dayCount: 1e9 }),
      JSON.stringify({ ...good, dayCount: 0 }),
      JSON.stringify({ ...good, role: undefined }),
      JSON.stringify({ ...good, rows: [[0, "1", "1", "1", "1"]] }),
      JSON.stringify({ ...good, rows: [[0, "1", "1", "1", "1", "9223372036854775808"]] }),
      JSON.stringify({ ...good, rows: [[0, "-1", "1", "1", "1", "1"]] }),
      JSON.stringify({ ...good, rows: [[365, "1", "1", "1", "1", "1"]] }),
      JSON.stringify({ ...good, rows: {} }),
      "x".repeat(3_000_000),
    ];
    for (const text of broken) {
      await redis.client.set(key, text);
      expect(await ask(), text.slice(0, 200)).to.deep.equal(answer);
      expect(JSON.parse((await redis.client.get(key)) ?? "")).to.deep.equal(good);
    }
    await redis.client.del(key);
    await redis.client.lpush(key, "1");
    expect(await ask()).to.deep.equal(answer);
    expect(await redis.client.type(key)).to.equal("string");
  });

  it("counts anew when the day that was last is over, and for a longer window", async () => {
    const key = "activity_heatmap:user:u1:no_cost";
    await app.clients.analytics.getDailyActivity({ userId: "u1" });
    const entry = JSON.parse((await redis.client.get(key)) ?? "");
    await redis.client.set(key, JSON.stringify({ ...entry, endDate: "2026-03-30" }));
    const answer = await app.clients.analytics.getDailyActivity({ userId: "u1" });
    expect(answer.endDate).to.equal("2026-03-31");
    const longer = await app.clients.analytics.getDailyActivity({ userId: "u1", windowDays: 500 });
    expect(longer.days).to.have.length(500);
    expect(longer.days.slice(-365)).to.deep.equal(answer.days);
  });

  it("forgets a user's entries when its role changes", async () => {
    const roleOf = (role: UserRole) =>
      app.apply({ users: [{ userId: "u1", role }, { userId: "u2" }] });
    await roleOf(UserRole.USER);
    for (const userId of ["u1", "u2"]) {
      await app.clients.analytics.getDailyActivity({ userId, includeActualCost: true });
      await app.clients.analytics.getDailyActivity({ userId, timeZone: "Asia/Kolkata" });
    }
    const key = "activity_heatmap:user:u1:with_cost";
    const old = (await redis.client.get(key)) ?? "";
    await roleOf(UserRole.ADMIN);
    await eventually("the entries are gone", async () => (await cachedKeys()).length === 2);
    expect((await cachedKeys()).every((other) => other.includes(":u2:"))).to.equal(true);
    // One that was counted before and is kept only now is not taken for a new one.
    await redis.client.set(key, old);
    await app.clients.analytics.getDailyActivity({ userId: "u1", includeActualCost: true });
    expect(JSON.parse((await redis.client.get(key)) ?? "").role).to.equal("ADMIN");
  });

  it("refuses time zones that are none and windows that are too long", async () => {
    const { analytics } = app.clients;
    for (const [request, field] of [
      [{ timeZone: "Europe/Atlantis" }, "time_zone"],
      [{ timeZone: "+02:00" }, "time_zone"],
      [{ windowDays: 3_661 }, "window_days"],
      [{ windowDays: -1 }, "window_days"],
    ] as const) {
      const failure = await rpcFailure(analytics.getDailyActivity(request));
      expect(failure.reason).to.equal("INVALID_FIELD");
      expect(failure.message).to.include(field);
    }
    const failure = await rpcFailure(analytics.invalidateActivityCache({}));
    expect(failure.reason).to.equal("INVALID_FIELD");
  });
});
