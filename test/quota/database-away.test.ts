import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { databaseUnavailable, isDatabaseUnavailable } from "../../src/errors.js";
import { createPriceBook } from "../../src/pricing/price-book.js";
import { createAlertStore } from "../../src/quota/alert-store.js";
import { type CheckRequest, createChecker } from "../../src/quota/check.js";
import type { Budget } from "../../src/quota/directory.js";
import { createLedger, type Ledger } from "../../src/quota/ledger.js";
import { createLedgerStore, type LedgerStore } from "../../src/quota/ledger-store.js";
import { createUncheckedCounter, type UncheckedCounter } from "../../src/quota/unchecked-passes.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";
import { makeBudget, makeDirectory, makeUser } from "./quota-directory.js";

const CHECK: CheckRequest = {
  userId: "u",
  apiKeyId: "",
  provider: "",
  model: "",
  tags: {},
  apiFormat: "",
  providerKeyId: "",
  requestId: "",
  reserve: true,
  reservationTtlMs: 60_000,
  costNanoUsd: 10n,
  estimate: undefined,
  tokens: undefined,
};

describe("CheckQuota while the database is away", () => {
  let test: TestDatabase;
  let ledger: Ledger;
  let unchecked: UncheckedCounter;
  /** "away": calls fail. "silent": they are never answered. */
  let state: "there" | "away" | "silent" = "there";

  /** Only a database that never answers makes a check wait so long. */
  async function start(answerTimeoutMs: number): Promise<void> {
    test = await createTestDatabase();
    state = "there";
    unchecked = createUncheckedCounter(createAlertStore(test.database).fireUnchecked);
    const store = createLedgerStore(test.database, randomUUID());
    ledger = createLedger({
      store: withState(store),
      logger: silentLogger,
      heartbeatMs: undefined,
      answerTimeoutMs,
      onBeat: unchecked.flush,
    });
    await ledger.start();
  }
  afterEach(async () => {
    state = "there";
    await ledger.stop();
    await test.drop();
  });

  function withState(store: LedgerStore): LedgerStore {
    const guard = async <T>(call: () => Promise<T>): Promise<T> => {
      if (state === "away") throw databaseUnavailable();
      return state === "silent" ? await new Promise<T>(() => {}) : await call();
    };
    return {
      ...store,
      grow: (request) => guard(() => store.grow(request)),
      readPeriods: (keys) => guard(() => store.readPeriods(keys)),
    };
  }

  async function checkerOf(budgets: readonly Partial<Budget>[]) {
    const all = budgets.map((fields, index) =>
      makeBudget({ budgetId: `b${index}`, scope: "USER", subject: "u", limit: 1_000n, ...fields }),
    );
    for (const { budgetId, limit, measure, enforcement } of all) {
      await test.database.knex("budgets").insert({
        budget_id: budgetId,
        scope: "USER",
        subject: "u",
        measure,
        enforcement,
        limit_amount: limit!.toString(),
        window_kind: "LIFETIME",
        window_time_zone: "UTC",
      });
    }
    const checker = createChecker({
      directory: makeDirectory({ users: [makeUser("u")], budgets: all }),
      pricing: createPriceBook(),
      ledger,
      unpricedModelPolicy: () => "DENY",
      onUnchecked: unchecked.count,
    });
    return async (fields: Partial<CheckRequest> = {}) =>
      await checker.check({ ...CHECK, ...fields });
  }

  /** Asks so often that the replica begins to keep some in store. */
  async function warm(check: (fields?: Partial<CheckRequest>) => Promise<unknown>): Promise<void> {
    for (let made = 0; made < 20; made += 1) await check();
    await ledger.beat();
    await check();
  }

  async function isUnavailable(answer: Promise<unknown>): Promise<boolean> {
    return await answer.then(() => false, isDatabaseUnavailable);
  }

  for (const [how, answerTimeoutMs] of [
    ["away", 30_000],
    ["silent", 1_000],
  ] as const) {
    it(`answers from the leases in hand, and is unavailable beyond them (${how})`, async () => {
      await start(answerTimeoutMs);
      const check = await checkerOf([{}]);
      await warm(check);
      state = how;
      expect((await check()).reservation?.holds[0]?.held).to.equal(10n);
      expect((await check({ reserve: false })).allowed).to.equal(true);
      expect(await isUnavailable(check({ costNanoUsd: 900n }))).to.equal(true);
      expect(await isUnavailable(check({ costNanoUsd: 900n, reserve: false }))).to.equal(true);
    });

    it(`lets requests pass a budget that says so, and tells of it afterwards (${how})`, async () => {
      await start(answerTimeoutMs);
      const check = await checkerOf([{ onUnavailable: "ALLOW" }]);
      state = how;
      const answers = [await check(), await check({ reserve: false })];
      for (const { allowed, reason, message, reservation } of answers) {
        expect([allowed, reason, reservation]).to.deep.equal([true, "OK", undefined]);
        expect(message).to.contain('"b0"');
      }
      state = "there";
      await ledger.beat();
      await ledger.beat();
      const alerts = await test.database.knex("budget_alerts");
      expect(
        alerts.map(({ kind, unchecked_requests }) => [kind, unchecked_requests]),
      ).to.deep.equal([["UNCHECKED", 2n]]);
    });
  }

  it("still holds the budgets that do not say so to their limits", async () => {
    await start(30_000);
    const check = await checkerOf([{ onUnavailable: "ALLOW" }, {}]);
    state = "away";
    expect(await isUnavailable(check())).to.equal(true);
    state = "there";
    await warm(check);
    state = "away";
    const answer = await check({ costNanoUsd: 30n });
    expect(answer.allowed).to.equal(true);
    expect(await isUnavailable(check({ costNanoUsd: 999n }))).to.equal(true);
  });

  it("says no on its own account once it can ask again", async () => {
    await start(30_000);
    const check = await checkerOf([{ onUnavailable: "ALLOW", limit: 5n }]);
    state = "away";
    expect((await check()).allowed).to.equal(true);
    state = "there";
    expect((await check()).allowed).to.equal(false);
  });

  it("leaves out warnings rather than fail", async () => {
    await start(30_000);
    const check = await checkerOf([{ enforcement: "SOFT", limit: 5n }]);
    state = "away";
    const { allowed, warnings } = await check();
    expect([allowed, warnings]).to.deep.equal([true, []]);
  });
});
