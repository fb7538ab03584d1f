import { type Timestamp, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { BudgetWindowKind } from "../../gen/tally/v1/usage_pb.js";
import { createPriceBook } from "../../src/pricing/price-book.js";
import { createChecker } from "../../src/quota/check.js";
import { createLedger, type Ledger } from "../../src/quota/ledger.js";
import { createLedgerStore } from "../../src/quota/ledger-store.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { silentLogger } from "../support/postgres.js";
import { type UsageInit, usage } from "../usage/usage-fixture.js";
import { makeBudget, makeDirectory, makeUser } from "./quota-directory.js";
import { reserve, userWithLimit, zoneFarFromMidnight } from "./quota-fixture.js";

const DAY_MS = 86_400_000;

describe("the windows of budgets", () => {
  let app: TestApp;
  const { timeZone, offsetMs } = zoneFarFromMidnight();
  const todayMs = Math.floor((Date.now() + offsetMs) / DAY_MS) * DAY_MS - offsetMs;
  const window = { kind: BudgetWindowKind.DAY, timeZone };

  before(async () => {
    app = await startTestApp();
    const tier = { inputNanoUsdPerMillion: 0n, outputNanoUsdPerMillion: 1_000_000n };
    await app.apply({ prices: [{ model: "plain", price: { tiers: [tier] } }] });
  });
  after(async () => {
    await expectBalancedBooks(app);
    await app.stop();
  });

  /** What a budget has spent, by day, counted from today. */
  async function spentByDay(budgetId: string): Promise<[day: number, spent: bigint][]> {
    const { rows } = await app.database.knex.raw(
      "select * from budget_periods where budget_id = ? and spent <> 0 order by period_start",
      [budgetId],
    );
    return (rows as { period_start: Date; spent: bigint }[]).map(({ period_start, spent }) => [
      (period_start.getTime() - todayMs) / DAY_MS,
      spent,
    ]);
  }

  /** Noon, so many days from today. */
  function noon(day: number): Timestamp {
    return timestampFromMs(todayMs + (day + 0.5) * DAY_MS);
  }

  async function record(input: UsageInit, reservationId = "") {
    const full = usage({ model: "plain", inputTokens: 0n, ...input });
    await app.clients.recorder.recordUsage({ usage: full, reservationId });
    return full;
  }

  it("are charged by arrival, for a record without a reservation", async () => {
    const userId = await userWithLimit(app, 1_000n, { window });
    await record({ userId, outputTokens: 1n, createTime: noon(-3) });
    await record({ userId, outputTokens: 2n, createTime: noon(-1) });
    expect(await spentByDay(userId)).to.deep.equal([
      [-3, 1n],
      [-1, 2n],
    ]);
  });

  it("are charged where the reservation was made, whenever the request arrived", async () => {
    const userId = await userWithLimit(app, 1_000n, { window });
    const { reservationId } = await reserve(app, userId, 10n);
    await record({ userId, outputTokens: 7n, createTime: noon(-1) }, reservationId);
    expect(await spentByDay(userId)).to.deep.equal([[0, 7n]]);
  });

  it("stay those of the reservation when the record is revised", async () => {
    const userId = await userWithLimit(app, 1_000n, { window });
    const { reservationId } = await reserve(app, userId, 10n);
    const input = await record({ userId, outputTokens: 7n, createTime: noon(-1) }, reservationId);
    await record({ ...input, outputTokens: 8n });
    expect(await spentByDay(userId)).to.deep.equal([[0, 8n]]);
    const { createTime: _told, ...rest } = input;
    await record({ ...rest, outputTokens: 9n });
    expect(await spentByDay(userId)).to.deep.equal([[0, 9n]]);
  });

  it("change when a revision tells of another arrival", async () => {
    const userId = await userWithLimit(app, 1_000n, { window });
    const input = await record({ userId, outputTokens: 7n, createTime: noon(-1) });
    await record({ ...input, outputTokens: 8n, createTime: noon(-2) });
    expect(await spentByDay(userId)).to.deep.equal([[-2, 8n]]);
  });

  describe("at midnight", () => {
    let ledger: Ledger;

    before(async () => {
      const store = createLedgerStore(app.database, "midnight");
      ledger = createLedger({ store, logger: silentLogger });
      await ledger.start();
    });
    after(() => ledger.stop());

    it("roll over in the budget's own zone, and what was held stays in the old one", async () => {
      const userId = await userWithLimit(app, 100n, {
        window: { kind: BudgetWindowKind.DAY, timeZone: "Asia/Kathmandu" },
      });
      // Midnight in Kathmandu is 18:15 UTC.
      const midnightMs = Date.parse("2026-02-28T18:15:00Z");
      const checkAt = async (nowMs: number, nanoUsd: bigint) => {
        const checker = createChecker({
          directory: directoryOf(userId),
          pricing: createPriceBook(),
          ledger: { ...ledger, nowMs: () => nowMs },
          unpricedModelPolicy: () => "DENY",
          onUnchecked() {},
        });
        return checker.check({ ...CHECK, userId, costNanoUsd: nanoUsd });
      };
      const before = await checkAt(midnightMs - 1, 100n);
      expect(before.reservation?.holds[0]?.periodStartMs).to.equal(midnightMs - DAY_MS);
      const denied = await checkAt(midnightMs - 1, 1n);
      expect([denied.allowed, denied.limiting?.held]).to.deep.equal([false, 100n]);
      const after = await checkAt(midnightMs, 100n);
      expect(after.reservation?.holds[0]?.periodStartMs).to.equal(midnightMs);
      expect((await checkAt(midnightMs + DAY_MS - 1, 1n)).allowed).to.equal(false);
      expect((await checkAt(midnightMs + DAY_MS, 1n)).allowed).to.equal(true);
    });
  });
});

const CHECK = {
  apiKeyId: "",
  tags: {},
  model: "",
  provider: "",
  providerKeyId: "",
  apiFormat: "",
  reserve: true,
  reservationTtlMs: 60_000,
  requestId: "",
  estimate: undefined,
  tokens: undefined,
} as const;

/** Knows one user, with a daily budget of 100 in Kathmandu that the database has, too. */
function directoryOf(userId: string) {
  const window = { kind: "DAY", timeZone: "Asia/Kathmandu" } as const;
  const budget = makeBudget({ budgetId: userId, scope: "USER", subject: userId, window });
  return makeDirectory({ users: [makeUser(userId)], budgets: [budget] });
}
