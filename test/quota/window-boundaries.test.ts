import { type Timestamp, timestampFromMs, timestampMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { BudgetWindowKind } from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { type ShiftedClock, shiftClock } from "../support/shifted-clock.js";
import { usage } from "../usage/usage-fixture.js";
import {
  type BudgetInit,
  budgetState,
  reserve,
  reserving,
  userWithLimit,
} from "./quota-fixture.js";

const { DAY, WEEK, MONTH, EVERY_N_DAYS } = BudgetWindowKind;

const [BERLIN, NEW_YORK] = ["Europe/Berlin", "America/New_York"];
/** Three quarters past the hour. */
const [KATHMANDU, CHATHAM] = ["Asia/Kathmandu", "Pacific/Chatham"];

const spansOf = (days: number, anchor: string) => ({
  days,
  anchorTime: timestampFromMs(Date.parse(anchor)),
});

/** A window, one of its periods, and what is special about it; in the order of their ends. */
const PERIODS: readonly (readonly [
  kind: BudgetWindowKind,
  timeZone: string,
  start: string,
  end: string,
  what: string,
  spans?: { readonly days: number; readonly anchorTime: Timestamp },
])[] = [
  [MONTH, NEW_YORK, "2024-02-01T05:00Z", "2024-03-01T05:00Z", "29 days"],
  [MONTH, KATHMANDU, "2024-12-31T18:15Z", "2025-01-31T18:15Z", "31 days"],
  [MONTH, KATHMANDU, "2025-01-31T18:15Z", "2025-02-28T18:15Z", "28 days"],
  [DAY, NEW_YORK, "2025-03-09T05:00Z", "2025-03-10T04:00Z", "23 hours"],
  [DAY, BERLIN, "2025-03-29T23:00Z", "2025-03-30T22:00Z", "23 hours"],
  [WEEK, BERLIN, "2025-03-23T23:00Z", "2025-03-30T22:00Z", "an hour short"],
  [MONTH, BERLIN, "2025-02-28T23:00Z", "2025-03-31T22:00Z", "31 days, an hour short"],
  [DAY, CHATHAM, "2025-04-05T10:15Z", "2025-04-06T11:15Z", "25 hours"],
  [
    ...([EVERY_N_DAYS, BERLIN, "2025-03-14T23:00Z", "2025-04-13T22:00Z", "an hour short"] as const),
    spansOf(30, "2025-03-14T23:30Z"),
  ],
  [MONTH, CHATHAM, "2025-03-31T10:15Z", "2025-04-30T11:15Z", "30 days and an hour"],
  [DAY, CHATHAM, "2025-09-27T11:15Z", "2025-09-28T10:15Z", "23 hours"],
  [DAY, BERLIN, "2025-10-25T22:00Z", "2025-10-26T23:00Z", "25 hours"],
  [DAY, NEW_YORK, "2025-11-02T04:00Z", "2025-11-03T05:00Z", "25 hours"],
  [
    ...([EVERY_N_DAYS, NEW_YORK, "2025-10-29T04:00Z", "2025-11-05T05:00Z", "and an hour"] as const),
    spansOf(7, "2026-01-07T12:00Z"),
  ],
  [MONTH, NEW_YORK, "2025-11-01T04:00Z", "2025-12-01T05:00Z", "30 days and an hour"],
];

describe("a budget's period", () => {
  let database: TestDatabase;
  let clock: ShiftedClock;
  let app: TestApp;
  let teacher: string;

  before(async () => {
    database = await createTestDatabase();
    clock = await shiftClock(database.database);
    app = await startTestApp({ replicaOf: database });
    const tier = { inputNanoUsdPerMillion: 1_000_000n, outputNanoUsdPerMillion: 0n };
    await app.apply({ prices: [{ model: "plain", price: { tiers: [tier] } }] });
    teacher = await userWithLimit(app, 1n);
  });
  after(async () => {
    await expectBalancedBooks(app);
    await app.stop();
    await database.drop();
  });

  /** Sets the database's clock and waits until the budget's period is the one from `startMs`. */
  async function setClock(nowMs: number, budgetId: string, startMs: number): Promise<void> {
    await clock.set(nowMs);
    await eventually("the app knows what time it is", async () => {
      // A check that is denied has asked the database, which tells its time.
      await app.clients.checker.checkQuota(reserving(teacher, 2n));
      const { periodStartTime } = await budgetState(app, budgetId);
      return periodStartTime && timestampMs(periodStartTime) === startMs;
    });
  }

  /** Costs so much, at so many microseconds after the moment. */
  async function record(
    userId: string,
    cost: bigint,
    at: { readonly ms: number; readonly us?: number; readonly reservationId?: string },
  ): Promise<void> {
    const { ms, us = 0, reservationId = "" } = at;
    const whole = timestampFromMs(us < 0 ? ms - 1 : ms);
    const createTime = { ...whole, nanos: whole.nanos + (us < 0 ? 1_000 + us : us) * 1_000 };
    const told = usage({ userId, model: "plain", inputTokens: cost, outputTokens: 0n, createTime });
    await app.clients.recorder.recordUsage({ usage: told, reservationId });
  }

  /** Where the budget stands, once leases hold no more than `held`. */
  function figures(budgetId: string, held: bigint) {
    return eventually(`${held} are held`, async () => {
      const state = await budgetState(app, budgetId);
      const [from, to] = [timestampMs(state.periodStartTime!), timestampMs(state.resetTime!)];
      return state.held === held && { spent: state.spent, from, to };
    });
  }

  for (const [kind, timeZone, start, end, what, spans] of PERIODS) {
    const title = `${BudgetWindowKind[kind]} in ${timeZone} from ${start} to ${end}: ${what}`;
    it(`begins and ends to the microsecond, ${title}`, async () => {
      const [startMs, endMs] = [Date.parse(start), Date.parse(end)];
      const window: BudgetInit["window"] = { kind, timeZone, ...spans };
      const userId = await userWithLimit(app, 100n, { window });

      await setClock(endMs - 30_000, userId, startMs);
      await record(userId, 8n, { ms: startMs, us: -1 });
      await record(userId, 4n, { ms: startMs });
      await record(userId, 1n, { ms: endMs, us: -1 });
      await record(userId, 2n, { ms: endMs });
      const { reservationId } = await reserve(app, userId, 60n);
      const denied = await app.clients.checker.checkQuota(reserving(userId, 36n));
      expect(denied.allowed).to.equal(false);
      expect(timestampMs(denied.limitingBudget!.resetTime!)).to.equal(endMs);
      const before = await figures(userId, 60n);
      expect(before).to.deep.equal({ spent: 5n, from: startMs, to: endMs });

      await setClock(endMs + 1_000, userId, endMs);
      await reserve(app, userId, 98n);
      // A reservation belongs to the period that it was made in, whenever its record comes.
      await record(userId, 50n, { ms: endMs, us: 1, reservationId });
      const after = await figures(userId, 98n);
      expect([after.spent, after.from]).to.deep.equal([2n, endMs]);

      await setClock(startMs, userId, startMs);
      expect(await figures(userId, 0n)).to.deep.equal({ ...before, spent: 55n });
    });
  }
});
