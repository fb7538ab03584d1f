import { expect } from "chai";
import { isDatabaseUnavailable } from "../../src/errors.js";
import { createDatabaseClock } from "../../src/quota/database-clock.js";
import { createLedger, type Ledger } from "../../src/quota/ledger.js";
import type { Reservation } from "../../src/quota/reservation.js";
import { silentLogger } from "../support/postgres.js";
import { BUDGET_ID, type LedgerDatabase } from "./ledger-database.js";
import { createLedgerNetwork } from "./ledger-network.js";

/** A reservation as its caller knows it, by the newest id that it was answered. */
interface Promised {
  current: Reservation;
  isOver: boolean;
}

/** What a caller asks of each of the two periods; undefined: it needs nothing of it. */
export type Amounts = readonly [bigint | undefined, bigint | undefined];

/** Replicas with callers, a network that fails, and what must be true whatever happens. */
export interface LedgerWorld {
  reserve(replica: number, amounts: Amounts, ttlMs: number): Promise<void>;
  /** A record comes with a reservation, at any replica; the owner may not hear of it. */
  settle(
    index: number,
    options: { replica: number; percent: number; isHeard: boolean },
  ): Promise<void>;
  release(index: number, replica: number): Promise<void>;
  extend(index: number, options: { replica: number; more: bigint; ttlMs: number }): Promise<void>;
  beat(replica: number): Promise<void>;
  advance(ms: number): Promise<void>;
  setLimit(limit: bigint): Promise<void>;
  /** The replica is killed, and another process takes its place. */
  crash(replica: number): Promise<void>;
  stepNetwork(index: number): Promise<void>;
  loseAnswer(index: number): Promise<void>;
  /** All calls go through, and their answers come. */
  drainNetwork(): Promise<void>;
  /** @throws when the books are wrong */
  check(): Promise<void>;
  /** Lets everything end, and sees that nothing is left behind. @throws when something is */
  finish(): Promise<void>;
}

interface Replica {
  readonly id: string;
  readonly ledger: Ledger;
  /** Rounds of a heartbeat do not overlap. */
  isBeating: boolean;
}

/** The periods that the model spends: the same limit holds for each. */
export const PERIODS = [0, 86_400_000] as const;

const LONGEST_LEASE_MS = 600_000;

/** Starts so many replicas over one database. */
export async function createLedgerWorld(
  database: LedgerDatabase,
  { replicas: count, limit }: { readonly replicas: number; readonly limit: bigint },
): Promise<LedgerWorld> {
  const network = createLedgerNetwork();
  const promised: Promised[] = [];
  const spent = new Map<number, bigint>(PERIODS.map((startMs) => [startMs, 0n]));
  const late = new Map<number, bigint>(PERIODS.map((startMs) => [startMs, 0n]));
  let highestLimit = limit;
  let made = 0;
  let names = 0;
  const replicas: Replica[] = [];
  await database.setLimit(limit);

  async function startReplica(): Promise<Replica> {
    made += 1;
    const id = `replica-${made}`;
    const ledger = createLedger({
      store: network.connect(id, database.storeOf(id)),
      logger: silentLogger,
      clock: createDatabaseClock(
        () => database.nowMs(),
        () => database.nowMs(),
      ),
      heartbeatMs: undefined,
      answerTimeoutMs: 2_000_000_000,
      makeUid() {
        names += 1;
        return `00000000-0000-4000-8000-${names.toString().padStart(12, "0")}`;
      },
    });
    await ledger.start();
    return { id, ledger, isBeating: false };
  }

  for (let index = 0; index < count; index += 1) replicas.push(await startReplica());
  const replicaAt = (index: number) => replicas[index % replicas.length]!;
  const openAt = (index: number) => {
    const open = promised.filter(({ isOver }) => !isOver);
    return open[index % Math.max(open.length, 1)];
  };

  /** Lets what was begun go on until it waits for the network. */
  async function settleTurn(): Promise<void> {
    for (let turn = 0; turn < 3; turn += 1) await new Promise(setImmediate);
  }

  /** Begins what may wait for the network, and hears of its end when that comes. */
  async function begin(work: Promise<void>): Promise<void> {
    work.catch((error: unknown) => {
      if (!isDatabaseUnavailable(error)) failure = error;
    });
    await settleTurn();
  }
  let failure: unknown;

  async function reserve(ledger: Ledger, amounts: Amounts, ttlMs: number): Promise<void> {
    const needs = PERIODS.flatMap((periodStartMs, index) => {
      const amount = amounts[index];
      return amount === undefined ? [] : [{ budgetId: BUDGET_ID, periodStartMs, amount }];
    });
    if (needs.length === 0) return;
    const { reservation } = await ledger.reserve({ needs, ttlMs, requestId: "" });
    if (reservation) promised.push({ current: reservation, isOver: false });
  }

  async function extend(
    entry: Promised,
    { replica, more, ttlMs }: { replica: number; more: bigint; ttlMs: number },
  ): Promise<void> {
    const totals = entry.current.holds.map(({ held }) => held + more);
    const { ledger } = replicaAt(replica);
    const extended = await ledger.extend(entry.current, { totals, ttlMs });
    if (extended.kind === "EXTENDED") entry.current = extended.outcome.reservation!;
  }

  async function beat(replica: Replica): Promise<void> {
    if (replica.isBeating) return;
    replica.isBeating = true;
    await replica.ledger.beat().finally(() => {
      replica.isBeating = false;
    });
  }

  /** Holds that callers may still count on. */
  function outstanding(periodStartMs: number): bigint {
    return promised
      .filter(({ isOver, current }) => !isOver && current.expireTimeMs > database.nowMs())
      .flatMap(({ current }) => current.holds)
      .filter((hold) => hold.periodStartMs === periodStartMs)
      .reduce((sum, { held }) => sum + held, 0n);
  }

  async function check(): Promise<void> {
    if (failure) throw failure;
    for (const startMs of PERIODS) {
      const row = await database.period(startMs);
      const leased = row.leases.reduce((sum, amount) => sum + amount, 0n);
      expect(row.leased, "leased = sum of the leases").to.equal(leased);
      for (const amount of row.leases) expect(amount >= 0n, "no lease below 0").to.equal(true);
      expect(row.spent, "every record is charged once").to.equal(spent.get(startMs)!);
      const covered = spent.get(startMs)! - late.get(startMs)! + outstanding(startMs);
      expect(covered <= highestLimit, `overspent: ${covered} of ${highestLimit}`).to.equal(true);
    }
  }

  return {
    reserve: (replica, amounts, ttlMs) => begin(reserve(replicaAt(replica).ledger, amounts, ttlMs)),
    async settle(index, { replica, percent, isHeard }) {
      const entry = openAt(index);
      if (!entry) return;
      entry.isOver = true;
      const { current } = entry;
      const isLate = current.expireTimeMs <= database.nowMs();
      const spends = current.holds.map(({ held }) => (held * BigInt(percent)) / 100n);
      current.holds.forEach(({ periodStartMs }, at) => {
        spent.set(periodStartMs, spent.get(periodStartMs)! + spends[at]!);
        if (isLate) late.set(periodStartMs, late.get(periodStartMs)! + spends[at]!);
      });
      const leases = await database.settle(current, spends);
      const notice = { uids: [current.uid], leases };
      replicaAt(replica).ledger.settled(notice);
      if (isHeard) for (const { ledger } of replicas) ledger.settledElsewhere(notice);
    },
    async release(index, replica) {
      const entry = openAt(index);
      if (!entry) return;
      entry.isOver = true;
      await begin(
        replicaAt(replica)
          .ledger.release(entry.current)
          .then(() => {}),
      );
    },
    async extend(index, options) {
      const entry = openAt(index);
      if (entry) await begin(extend(entry, options));
    },
    beat: (replica) => begin(beat(replicaAt(replica))),
    advance: (ms) => database.advance(ms),
    async setLimit(next) {
      if (next > highestLimit) highestLimit = next;
      await database.setLimit(next);
    },
    async crash(replica) {
      const at = replica % replicas.length;
      network.cut(replicas[at]!.id);
      replicas[at] = await startReplica();
      await settleTurn();
    },
    async stepNetwork(index) {
      await network.step(index);
      await settleTurn();
    },
    async loseAnswer(index) {
      network.lose(index);
      await settleTurn();
    },
    async drainNetwork() {
      await network.drain();
      await settleTurn();
    },
    check,
    async finish() {
      await network.drain();
      await settleTurn();
      await check();
      await database.advance(LONGEST_LEASE_MS);
      for (let round = 0; round < 2; round += 1) {
        for (const { ledger } of replicas) {
          const beating = ledger.beat();
          beating.catch(() => {});
          await settleTurn();
          await network.drain();
          await beating;
        }
      }
      await check();
      for (const startMs of PERIODS) {
        const { leased } = await database.period(startMs);
        expect(leased, "leased after every expiry").to.equal(0n);
        for (const { ledger } of replicas) {
          const left = ledger.openOn({ budgetId: BUDGET_ID, periodStartMs: startMs });
          expect(left, "open after every expiry").to.deep.equal([]);
        }
      }
    },
  };
}
