import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { createDatabaseClock, type DatabaseClock } from "./database-clock.js";
import { createGrower, type GrowOutcome } from "./grower.js";
import type { LeaseAnswer, PeriodKey } from "./lease.js";
import {
  createLeaseBook,
  type Need,
  type OpenReservation,
  type ReservationTerms,
} from "./lease-book.js";
import type { LedgerStore, PeriodFigures, ReservationHold } from "./ledger-store.js";
import { createPeriodReader } from "./period-reader.js";
import type { Reservation } from "./reservation.js";

/** What a check wants held. */
export interface ReserveRequest {
  /** At least one. */
  readonly needs: readonly Need[];
  readonly ttlMs: number;
  /**
   * Asking again with the same id for the same budgets answers with the same open reservation. ""
   * for none.
   */
  readonly requestId: string;
}

/** The escrow over budgets: exact whatever the number of callers and replicas. */
export interface Ledger {
  /** Learns the database's clock and starts the heartbeat. */
  start(): Promise<void>;
  /** Ends the heartbeat. Open reservations stay: whoever settles them can do so elsewhere. */
  stop(): Promise<void>;
  /**
   * Reserves on every needed period, all or none.
   * @throws when the database is needed and away
   */
  reserve(request: ReserveRequest): Promise<GrowOutcome>;
  /** Gives back what a reservation holds. False: it had been settled, released or had expired. */
  release(reservation: Reservation): Promise<boolean>;
  /** Hears that reservations were settled, and how the leases stand after it. */
  settled(uids: readonly string[], leases: readonly LeaseAnswer[]): void;
  /** Where periods stand now, in the order of the keys. Asks the database, once for many callers. */
  figures(keys: readonly PeriodKey[]): Promise<readonly PeriodFigures[]>;
  /** Reservations that this replica holds on one period. */
  openOn(period: PeriodKey): OpenReservation[];
  /** The database's clock, milliseconds since 1970. */
  nowMs(): number;
}

/** The answer to a request, for when it asks again. */
interface Remembered {
  readonly terms: ReservationTerms;
  readonly outcome: Promise<GrowOutcome>;
}

/** What a ledger is made of. */
export interface LedgerParts {
  readonly store: LedgerStore;
  readonly logger: Logger;
  readonly clock?: DatabaseClock;
  /** Default 1,000 ms. */
  readonly heartbeatMs?: number;
}

/** The most leases that one sweep returns, so that no row stays locked for long. */
const SWEEP_LEASES = 500;

/** Makes a ledger; nothing happens before `start`. */
export function createLedger(parts: LedgerParts): Ledger {
  const { store, logger, heartbeatMs = 1_000 } = parts;
  const clock = parts.clock ?? createDatabaseClock();
  const book = createLeaseBook();
  const grower = createGrower({ book, store, clock });
  const reader = createPeriodReader(store);
  const byRequest = new Map<string, Remembered>();
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void> = Promise.resolve();

  function termsOf({ requestId, ttlMs }: ReserveRequest): ReservationTerms {
    const createTimeMs = clock.nowMs();
    return { uid: randomUUID(), requestId, createTimeMs, expireTimeMs: createTimeMs + ttlMs };
  }

  async function reserveAnew(
    needs: readonly Need[],
    terms: ReservationTerms,
  ): Promise<GrowOutcome> {
    const reservation = book.tryReserve(needs, terms);
    if (!reservation) return await grower.grow(needs, terms);
    return { reservation, figures: needs.map(lastFigures) };
  }

  /** Of a period with a lease: where it stood when the lease last grew. */
  function lastFigures({ budgetId, periodStartMs }: Need): PeriodFigures {
    const { limit, spent, leased } = book.figures({ budgetId, periodStartMs })!;
    return { budgetId, periodStartMs, limit, spent, leased };
  }

  /** Keeps the answer for as long as its reservation is open, for those that ask again. */
  function remember(
    key: string,
    terms: ReservationTerms,
    outcome: Promise<GrowOutcome>,
  ): Promise<GrowOutcome> {
    byRequest.set(key, { terms, outcome });
    const forgetThis = () => forget(key, terms.uid);
    outcome.then(({ reservation }) => reservation ?? forgetThis(), forgetThis);
    return outcome;
  }

  /** Leaves a later reservation of the same request alone. */
  function forget(key: string, uid: string): void {
    if (byRequest.get(key)?.terms.uid === uid) byRequest.delete(key);
  }

  function end(uid: string): void {
    const ended = book.end(uid);
    if (ended) forget(requestKey(ended.requestId, ended.holds), uid);
  }

  async function releaseAll(reservations: readonly Reservation[]): Promise<ReadonlySet<string>> {
    const { released, leases } = await store.release(reservations.flatMap(toHolds));
    book.takeAnswers(leases);
    for (const { uid } of reservations) end(uid);
    return released;
  }

  async function heartbeat(): Promise<void> {
    try {
      const expired = book.expiredBy(clock.nowMs());
      if (expired.length > 0) await releaseAll(expired);
      await store.sweep(SWEEP_LEASES);
      book.forgetExpired(clock.nowMs());
    } catch (error) {
      logger.warn({ err: error }, "ledger heartbeat failed; trying again");
    }
    if (timer !== undefined) schedule();
  }

  function schedule(): void {
    timer = setTimeout(() => {
      beating = heartbeat();
    }, heartbeatMs);
  }

  return {
    async start() {
      const sentAtMs = clock.steadyMs();
      clock.learn(await store.readClock(), sentAtMs);
      schedule();
    },
    async stop() {
      clearTimeout(timer);
      timer = undefined;
      await beating;
    },
    reserve(request) {
      const terms = termsOf(request);
      if (request.requestId === "") return reserveAnew(request.needs, terms);
      const key = requestKey(request.requestId, request.needs);
      const known = byRequest.get(key);
      if (known && known.terms.expireTimeMs > terms.createTimeMs) return known.outcome;
      return remember(key, terms, reserveAnew(request.needs, terms));
    },
    async release(reservation) {
      const released = await releaseAll([reservation]);
      return released.has(reservation.uid);
    },
    settled(uids, leases) {
      book.takeAnswers(leases);
      for (const uid of uids) end(uid);
    },
    figures: (keys) => reader.read(keys),
    openOn: (period) => book.openOn(period),
    nowMs: () => clock.nowMs(),
  };
}

/** Names a request with its budgets: nobody is answered with a reservation on those of others. */
function requestKey(requestId: string, budgets: readonly { readonly budgetId: string }[]): string {
  return JSON.stringify([requestId, ...budgets.map(({ budgetId }) => budgetId)]);
}

function toHolds({ uid, expireTimeMs, holds }: Reservation): ReservationHold[] {
  return holds.map((hold) => ({ ...hold, uid, expireTimeMs }));
}
