import { randomUUID } from "node:crypto";
import { expect } from "chai";
import { DatabaseUnavailableError } from "../../src/database/errors.js";
import { createLedger, type Ledger } from "../../src/quota/ledger.js";
import { fromLeaseJson } from "../../src/quota/ledger-json.js";
import type { ReserveRequest } from "../../src/quota/ledger-requests.js";
import { createLedgerStore, type LedgerStore } from "../../src/quota/ledger-store.js";
import type { OpenReservation } from "../../src/quota/open-reservations.js";
import { eventually } from "../support/eventually.js";
import { createTestDatabase, silentLogger, type TestDatabase } from "../support/postgres.js";
import { uniqueId } from "../support/unique-id.js";

const HOUR_MS = 3_600_000;

describe("createLedger", () => {
  let test: TestDatabase;
  const ledgers: Ledger[] = [];

  before(async () => {
    test = await createTestDatabase();
  });
  afterEach(async () => {
    for (const ledger of ledgers.splice(0)) await ledger.stop();
  });
  after(() => test.drop());

  /** A replica whose heartbeat comes after the test, so that each step is the test's own. */
  async function startReplica(change: (store: LedgerStore) => LedgerStore = (store) => store) {
    const store = change(createLedgerStore(test.database, randomUUID()));
    const ledger = createLedger({ store, logger: silentLogger, heartbeatMs: undefined });
    ledgers.push(ledger);
    await ledger.start();
    return ledger;
  }

  /** A budget of so much, as a request needs it. */
  async function makeBudget(limit: bigint): Promise<string> {
    const budgetId = uniqueId("budget");
    await test.database.knex("budgets").insert({
      budget_id: budgetId,
      scope: "USER",
      subject: budgetId,
      measure: "COST",
      limit_amount: limit.toString(),
      window_kind: "LIFETIME",
      window_time_zone: "UTC",
    });
    return budgetId;
  }

  function asking(
    budgetId: string,
    amount: bigint,
    options: Partial<ReserveRequest> = {},
  ): ReserveRequest {
    const needs = [{ budgetId, periodStartMs: 0, amount }];
    return { needs, ttlMs: HOUR_MS, requestId: "", ...options };
  }

  async function reserve(
    ledger: Ledger,
    ...ask: Parameters<typeof asking>
  ): Promise<OpenReservation> {
    const { reservation } = await ledger.reserve(asking(...ask));
    if (!reservation) throw new Error("refused");
    return reservation;
  }

  async function isRefused(ledger: Ledger, ...ask: Parameters<typeof asking>): Promise<boolean> {
    return (await ledger.reserve(asking(...ask))).reservation === undefined;
  }

  async function standing(budgetId: string) {
    const row = await test.database.knex("budget_periods").where({ budget_id: budgetId }).first();
    return { spent: row.spent as bigint, leased: row.leased as bigint };
  }

  async function waitUntilExpired({ expireTimeMs }: OpenReservation): Promise<void> {
    await eventually("the database's clock passes the expiry", async () => {
      const { rows } = await test.database.knex.raw("select clock_timestamp() as now");
      return rows[0].now.getTime() > expireTimeMs;
    });
  }

  /** Posts spend that settles a reservation, as recording does, and tells the ledger. */
  async function settle(ledger: Ledger, { uid, expireTimeMs, holds }: OpenReservation) {
    const [hold] = holds;
    const { rows } = await test.database.knex.raw(
      `select post_charges(
        array[row(?, to_timestamp(0), ?)::budget_charge],
        array[row(?, ?::timestamptz, ?, ?, to_timestamp(0), ?)::reservation_hold]) as answer`,
      [
        ...[hold!.budgetId, hold!.held.toString(), uid, new Date(expireTimeMs).toISOString()],
        ...[hold!.leaseId.toString(), hold!.budgetId, hold!.held.toString()],
      ],
    );
    ledger.settled({ uids: [uid], leases: rows[0].answer.leases.map(fromLeaseJson) });
  }

  it("charges a late record as spend without a reservation, and then frees what was held", async () => {
    const budgetId = await makeBudget(200n);
    const ledger = await startReplica();
    const reservation = await reserve(ledger, budgetId, 150n, { ttlMs: 50 });
    await waitUntilExpired(reservation);
    const elsewhere = await startReplica();
    await settle(elsewhere, reservation);
    expect(await standing(budgetId)).to.deep.equal({ spent: 150n, leased: 150n });
    expect(await isRefused(elsewhere, budgetId, 1n)).to.equal(true);
    await ledger.beat();
    await ledger.beat();
    expect(await standing(budgetId)).to.deep.equal({ spent: 150n, leased: 0n });
    expect(await isRefused(elsewhere, budgetId, 51n)).to.equal(true);
    expect(await isRefused(elsewhere, budgetId, 50n)).to.equal(false);
  });

  it("gives nothing back for a reservation whose end it may have forgotten", async () => {
    const budgetId = await makeBudget(100n);
    const ledger = await startReplica();
    const { holds } = await reserve(ledger, budgetId, 100n);
    const old = { uid: randomUUID(), expireTimeMs: Date.now() - 2 * HOUR_MS, holds };
    expect(await ledger.release(old)).to.equal(false);
    expect(await standing(budgetId)).to.deep.equal({ spent: 0n, leased: 100n });
  });

  it("reserves from memory what a grow brought whose answer was lost", async () => {
    const budgetId = await makeBudget(150n);
    let isLost = true;
    const ledger = await startReplica((store) => ({
      ...store,
      async grow(request) {
        const answer = await store.grow(request);
        if (isLost) throw new DatabaseUnavailableError("the connection was lost");
        return answer;
      },
    }));
    const error = await reserve(ledger, budgetId, 100n).catch((reason: unknown) => reason);
    expect(error).to.be.instanceOf(DatabaseUnavailableError);
    expect(await standing(budgetId)).to.deep.equal({ spent: 0n, leased: 100n });
    isLost = false;
    const { reservation, figures } = await ledger.reserve(asking(budgetId, 60n));
    expect(reservation?.holds[0]?.held).to.equal(60n);
    expect(figures[0]?.limit).to.equal(150n);
    // 50 are left in the budget, and 40 here.
    await reserve(ledger, budgetId, 90n);
    expect(await isRefused(ledger, budgetId, 1n)).to.equal(true);
    expect(await standing(budgetId)).to.deep.equal({ spent: 0n, leased: 150n });
  });

  it("says where a budget stood when it reserves without asking the database", async () => {
    const budgetId = await makeBudget(100n);
    let grows = 0;
    const ledger = await startReplica((store) => ({
      ...store,
      grow(request) {
        grows += 1;
        const periods = request.periods.map((period) => ({ ...period, extra: 50n }));
        return store.grow({ ...request, periods });
      },
    }));
    await reserve(ledger, budgetId, 10n);
    const { reservation, figures } = await ledger.reserve(asking(budgetId, 40n));
    expect(reservation).to.not.equal(undefined);
    expect(grows).to.equal(1);
    expect(figures).to.deep.equal([
      { budgetId, periodStartMs: 0, limit: 100n, spent: 0n, held: 50n },
    ]);
  });

  it("answers a request with its open reservation, and with a new one when that expired", async () => {
    const budgetId = await makeBudget(100n);
    const ledger = await startReplica();
    const options = { requestId: uniqueId("request"), ttlMs: 50 };
    const first = await reserve(ledger, budgetId, 10n, { ...options, ttlMs: HOUR_MS });
    expect((await reserve(ledger, budgetId, 10n, options)).uid).to.equal(first.uid);
    await ledger.release(first);
    const second = await reserve(ledger, budgetId, 10n, options);
    await waitUntilExpired(second);
    const third = await reserve(ledger, budgetId, 10n, { ...options, ttlMs: HOUR_MS });
    expect(new Set([first.uid, second.uid, third.uid]).size).to.equal(3);
    // The end of the second must not make it forget the third.
    await ledger.release(second);
    expect((await reserve(ledger, budgetId, 10n, options)).uid).to.equal(third.uid);
  });

  it("makes no reservation out of a lease that was swept", async () => {
    const budgetId = await makeBudget(100n);
    const ledger = await startReplica((store) => ({
      ...store,
      grow: (request) =>
        store.grow({
          ...request,
          periods: request.periods.map((period) => ({
            ...period,
            extra: 40n,
            expireTimeMs: ledgerNowMs() + 50,
          })),
        }),
    }));
    const ledgerNowMs = () => ledger.nowMs();
    const first = await reserve(ledger, budgetId, 20n, { ttlMs: 20 });
    await waitUntilExpired({ ...first, expireTimeMs: first.expireTimeMs + 100 });
    const other = await startReplica();
    await test.database.knex.raw("select sweep_leases(100)");
    await reserve(other, budgetId, 30n);
    await reserve(ledger, budgetId, 70n);
    expect(await standing(budgetId)).to.deep.equal({ spent: 0n, leased: 100n });
    expect(await isRefused(other, budgetId, 1n)).to.equal(true);
  });
});
