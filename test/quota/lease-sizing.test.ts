import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { createLedger, type Ledger } from "../../src/quota/ledger.js";
import { createLedgerStore, type LedgerStore } from "../../src/quota/ledger-store.js";
import { eventually } from "../support/eventually.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";
import { uniqueId } from "../support/unique-id.js";

const LIMIT = 100_000n;

describe("the size of leases", () => {
  let test: TestDatabase;
  let steps = 0;
  const ledgers: Ledger[] = [];

  before(async () => {
    test = await createTestDatabase();
  });
  afterEach(async () => {
    for (const ledger of ledgers.splice(0)) await ledger.stop();
  });
  after(() => test.drop());

  /** A replica whose heartbeat is the test's own, and whose grows are counted. */
  async function startReplica(): Promise<Ledger> {
    const store = createLedgerStore(test.database, randomUUID());
    const counting: LedgerStore = {
      ...store,
      grow(request) {
        steps += 1;
        return store.grow(request);
      },
    };
    const ledger = createLedger({ store: counting, logger: silentLogger, heartbeatMs: undefined });
    ledgers.push(ledger);
    await ledger.start();
    return ledger;
  }

  async function makeBudget(): Promise<string> {
    const budgetId = uniqueId("budget");
    await test.database.knex("budgets").insert({
      budget_id: budgetId,
      scope: "USER",
      subject: budgetId,
      measure: "COST",
      limit_amount: LIMIT.toString(),
      window_kind: "LIFETIME",
      window_time_zone: "UTC",
    });
    return budgetId;
  }

  async function reserve(ledger: Ledger, budgetId: string, amount: bigint): Promise<boolean> {
    const needs = [{ budgetId, periodStartMs: 0, amount }];
    const { reservation } = await ledger.reserve({ needs, ttlMs: 60_000, requestId: "" });
    return reservation !== undefined;
  }

  async function leased(budgetId: string): Promise<bigint> {
    const row = await test.database.knex("budget_periods").where({ budget_id: budgetId }).first();
    return row.leased;
  }

  /** Asks for 10 units so often that the replica begins to keep some in store. */
  async function warm(ledger: Ledger, budgetId: string): Promise<void> {
    for (let made = 0; made < 20; made += 1) await reserve(ledger, budgetId, 10n);
    await ledger.beat();
    await reserve(ledger, budgetId, 10n);
  }

  it("is exactly what is asked for, at first", async () => {
    const [ledger, budgetId] = [await startReplica(), await makeBudget()];
    for (let made = 0; made < 20; made += 1) await reserve(ledger, budgetId, 10n);
    expect(await leased(budgetId)).to.equal(200n);
  });

  it("grows with demand, so that checks need no round trip", async () => {
    const [ledger, budgetId] = [await startReplica(), await makeBudget()];
    await warm(ledger, budgetId);
    const before = steps;
    expect((await leased(budgetId)) > 400n).to.equal(true);
    for (let made = 0; made < 10; made += 1) await reserve(ledger, budgetId, 10n);
    expect(steps).to.equal(before);
  });

  it("is brought back to its target before it is used up, while nobody waits", async () => {
    const [ledger, budgetId] = [await startReplica(), await makeBudget()];
    await warm(ledger, budgetId);
    const before = await leased(budgetId);
    const reserved = Number(before - 210n) / 10 - 1;
    for (let made = 0; made < reserved; made += 1) {
      expect(await reserve(ledger, budgetId, 10n)).to.equal(true);
    }
    await eventually("the lease is refilled", async () => (await leased(budgetId)) > before);
  });

  it("gives back what it does not need any more", async () => {
    const [ledger, budgetId] = [await startReplica(), await makeBudget()];
    await warm(ledger, budgetId);
    for (let round = 0; round < 3; round += 1) await ledger.beat();
    expect(await leased(budgetId)).to.equal(210n);
  });

  it("never takes more than half of what is free in store", async () => {
    const [ledger, budgetId] = [await startReplica(), await makeBudget()];
    for (let made = 0; made < 10; made += 1) await reserve(ledger, budgetId, 5_000n);
    await ledger.beat();
    await reserve(ledger, budgetId, 5_000n);
    // 45,000 were free after the last one.
    expect(await leased(budgetId)).to.equal(55_000n + 22_500n);
  });

  it("gives all of its store back where another replica was refused", async () => {
    const [ledger, budgetId] = [await startReplica(), await makeBudget()];
    const other = await startReplica();
    for (let made = 0; made < 10; made += 1) await reserve(ledger, budgetId, 5_000n);
    await ledger.beat();
    await reserve(ledger, budgetId, 5_000n);
    expect(await reserve(other, budgetId, 40_000n)).to.equal(false);
    await ledger.beat();
    expect(await leased(budgetId)).to.equal(55_000n);
    expect(await reserve(other, budgetId, 40_000n)).to.equal(true);
    expect(await reserve(ledger, budgetId, 5_001n)).to.equal(false);
    expect(await reserve(ledger, budgetId, 5_000n)).to.equal(true);
  });

  it("gives its store back when the replica stops", async () => {
    const [ledger, budgetId] = [await startReplica(), await makeBudget()];
    await warm(ledger, budgetId);
    await ledger.stop();
    expect(await leased(budgetId)).to.equal(210n);
  });
});
