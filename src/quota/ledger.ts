import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { createDatabaseClock, type DatabaseClock } from "./database-clock.js";
import { createExtender } from "./extender.js";
import type { BudgetFigures, PeriodFigures, PostedFigures } from "./figures.js";
import { createGrower } from "./grower.js";
import { freeOf, type PeriodKey } from "./lease.js";
import { createLeaseBook, type Need } from "./lease-book.js";
import type {
  ExtendOutcome,
  ExtendRequest,
  ReserveOutcome,
  ReserveRequest,
  SettledNotice,
} from "./ledger-requests.js";
import type { LedgerStore } from "./ledger-store.js";
import { createMover } from "./mover.js";
import type { OpenReservation, ReservationTerms } from "./open-reservations.js";
import { createPeriodReader } from "./period-reader.js";
import { createReleaser } from "./releaser.js";
import type { Reservation } from "./reservation.js";
import { createTender } from "./tender.js";

/** The escrow over budgets: exact whatever the number of callers and replicas. */
export interface Ledger {
  /** Learns the database's clock and starts the heartbeat. */
  start(): Promise<void>;
  /**
   * Ends the heartbeat and gives back what is not promised. Open reservations stay: whoever settles
   * them can do so elsewhere.
   */
  stop(): Promise<void>;
  /** One round of looking after the leases; the heartbeat does it every second. */
  beat(): Promise<void>;
  /**
   * Reserves on every needed period, all or none; at once when memory has room.
   *
   * @throws DomainError DATABASE_UNAVAILABLE when the database is needed and away
   */
  reserve(request: ReserveRequest): ReserveOutcome | Promise<ReserveOutcome>;
  /** Reserves if it needs nobody: what the database is not there for. */
  reserveFromMemory(request: ReserveRequest): ReserveOutcome;
  /** Where the periods stood when last heard of, if their leases have room; else undefined. */
  roomInMemory(request: ReserveRequest): readonly BudgetFigures[] | undefined;
  /** Makes a reservation hold more, or longer. @throws DomainError DATABASE_UNAVAILABLE */
  extend(reservation: Reservation, request: ExtendRequest): Promise<ExtendOutcome>;
  /** Gives back what a reservation holds. False: it had been settled, released or had expired. */
  release(reservation: Reservation): Promise<boolean>;
  /**
   * Hears that reservations were settled here and how periods stand after it, and tells those whose
   * leases they were in.
   */
  settled(notice: SettledNotice, periods?: readonly PostedFigures[]): void;
  /** Hears that reservations were settled elsewhere. */
  settledElsewhere(notice: SettledNotice): void;
  /** Where periods stand now, in the order of the keys. Asks the database, once for many callers. */
  figures(keys: readonly PeriodKey[]): Promise<readonly BudgetFigures[]>;
  /** The same, but may be a second old. */
  recentFigures(keys: readonly PeriodKey[]): Promise<readonly BudgetFigures[]>;
  /** How many reservations this replica holds. */
  readonly openCount: number;
  /** Reservations that this replica holds on one period. */
  openOn(period: PeriodKey): OpenReservation[];
  /** The database's clock, milliseconds since 1970. */
  nowMs(): number;
}

/** The answer to a request, for when it asks again. */
interface Remembered {
  readonly terms: ReservationTerms;
  readonly outcome: Reserving;
}

/** At once when memory has room, else when the database has answered. */
type Reserving = ReserveOutcome | Promise<ReserveOutcome>;

/** What a ledger is made of. */
export interface LedgerParts {
  readonly store: LedgerStore;
  readonly logger: Logger;
  /** Tells other replicas that reservations were settled or released which are not of this one. */
  readonly announce?: (notice: SettledNotice) => void;
  /** Done at the end of each heartbeat: the database is there. */
  readonly onBeat?: () => Promise<void>;
  /** Told of each reservation that is asked for, whether memory could answer. */
  readonly onReserve?: (isFromMemory: boolean) => void;
  readonly clock?: DatabaseClock;
  /** Default 1,000 ms; undefined: none, whoever made it calls `beat`. */
  readonly heartbeatMs?: number | undefined;
  /** The longest that a check waits for the database. Default 2,000 ms. */
  readonly answerTimeoutMs?: number;
  /** Makes the names of reservations, UUIDs. */
  readonly makeUid?: () => string;
}

/** The most leases that one sweep returns, so that no row stays locked for long. */
const SWEEP_LEASES = 500;

/** Makes a ledger; nothing happens before `start`. */
export function createLedger(parts: LedgerParts): Ledger {
  const { store, logger, answerTimeoutMs = 2_000, makeUid = randomUUID } = parts;
  const heartbeatMs = "heartbeatMs" in parts ? parts.heartbeatMs : 1_000;
  const clock = parts.clock ?? createDatabaseClock();
  const book = createLeaseBook((lease) => grower.refill(lease));
  const grower = createGrower({ book, store, clock, answerTimeoutMs });
  const reader = createPeriodReader({ store, answerTimeoutMs, nowMs: clock.steadyMs });
  const releaser = createReleaser({ store, onEnded: settled });
  const mover = createMover({ book, store, clock, answerTimeoutMs });
  const extender = createExtender({
    book,
    mover,
    clock,
    makeUid,
    reserve: async (needs, terms) => await reserveAnew(needs, terms),
    figures: async (keys) => (await reader.read(keys)).map(seenFromHere),
  });
  const tender = createTender({ book, store, clock, onExpired: ({ uid }) => end(uid) });
  const byRequest = new Map<string, Remembered>();
  let timer: NodeJS.Timeout | undefined;
  let beating: Promise<void> = Promise.resolve();

  function termsOf({ requestId, ttlMs }: Omit<ReserveRequest, "needs">): ReservationTerms {
    const createTimeMs = clock.nowMs();
    return { uid: makeUid(), requestId, createTimeMs, expireTimeMs: createTimeMs + ttlMs };
  }

  function reserveAnew(needs: readonly Need[], terms: ReservationTerms): Reserving {
    const reservation = book.tryReserve(needs, terms);
    parts.onReserve?.(reservation !== undefined);
    if (reservation) return { reservation, figures: needs.map(lastFigures) };
    return grower.grow(needs, terms).then((grown) => ({
      reservation: grown.reservation,
      figures: grown.figures.map(seenFromHere),
    }));
  }

  /** What lies in store here is at the caller's disposal. */
  function seenFromHere({ leased, ...figures }: PeriodFigures): BudgetFigures {
    const lease = book.lease(figures);
    const free = lease ? freeOf(lease) : 0n;
    const { budgetId, periodStartMs, limit, spent } = figures;
    return { budgetId, periodStartMs, limit, spent, held: free > 0n ? leased - free : leased };
  }

  /** Of a period with a lease: where it stood when last heard of. */
  function lastFigures({ budgetId, periodStartMs }: PeriodKey): BudgetFigures {
    const { limit, spent, leased } = book.lease({ budgetId, periodStartMs })!.figures;
    return seenFromHere({ budgetId, periodStartMs, limit, spent, leased });
  }

  /** Only shown, never relied on: lanes may tell of a period in another order than they posted. */
  function takeFigures(period: PostedFigures): void {
    const { spent, leased } = period;
    const lease = book.lease(period);
    if (lease) lease.figures = { limit: lease.figures.limit, spent, leased };
    reader.learn(period);
  }

  /** Keeps the answer for as long as its reservation is open, for those that ask again. */
  function remember(key: string, terms: ReservationTerms, outcome: Reserving): Reserving {
    byRequest.set(key, { terms, outcome });
    if (!(outcome instanceof Promise)) return outcome;
    const forgetThis = () => forget(key, terms.uid);
    outcome.then(({ reservation }) => reservation ?? forgetThis(), forgetThis);
    return outcome;
  }

  /** Leaves a later reservation of the same request alone. */
  function forget(key: string, uid: string): void {
    if (byRequest.get(key)?.terms.uid === uid) byRequest.delete(key);
  }

  /** @returns whether it was one of this replica's. */
  function end(uid: string): boolean {
    const ended = book.end(uid);
    if (ended && ended.requestId !== "") forget(requestKey(ended.requestId, ended.holds), uid);
    return ended !== undefined;
  }

  function settled({ uids, leases }: SettledNotice): void {
    book.takeAnswers(leases);
    const foreign = uids.filter((uid) => !end(uid));
    const others = leases.filter(({ leaseId }) => !book.leaseById(leaseId));
    if (foreign.length > 0 && others.length > 0) {
      parts.announce?.({ uids: foreign, leases: others });
    }
  }

  async function beat(): Promise<void> {
    await tender.beat();
    await mover.resolve();
    await store.sweep(SWEEP_LEASES);
    book.forgetExpired(clock.nowMs());
    await parts.onBeat?.();
  }

  async function heartbeat(): Promise<void> {
    try {
      await beat();
    } catch (error) {
      logger.warn({ err: error }, "ledger heartbeat failed; trying again");
    }
    if (timer !== undefined) schedule();
  }

  function schedule(): void {
    if (heartbeatMs === undefined) return;
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
      await tender.giveAll().catch((error: unknown) => {
        logger.warn({ err: error }, "leases could not be given back; they expire by themselves");
      });
    },
    beat,
    reserve(request) {
      const terms = termsOf(request);
      if (request.requestId === "") return reserveAnew(request.needs, terms);
      const key = requestKey(request.requestId, request.needs);
      const known = byRequest.get(key);
      if (known && known.terms.expireTimeMs > terms.createTimeMs) return known.outcome;
      return remember(key, terms, reserveAnew(request.needs, terms));
    },
    reserveFromMemory(request) {
      const reservation = book.tryReserve(request.needs, termsOf(request));
      return { reservation, figures: reservation ? request.needs.map(lastFigures) : [] };
    },
    roomInMemory({ needs, ...request }) {
      return book.hasRoom(needs, termsOf(request)) ? needs.map(lastFigures) : undefined;
    },
    extend: (reservation, request) => extender.extend(reservation, request),
    release: (reservation) => releaser.release(reservation),
    settled(notice, periods = []) {
      settled(notice);
      for (const period of periods) takeFigures(period);
    },
    settledElsewhere({ uids, leases }) {
      book.takeAnswers(leases);
      for (const uid of uids) end(uid);
    },
    figures: async (keys) => (await reader.read(keys)).map(seenFromHere),
    recentFigures: async (keys) => (await reader.readRecent(keys)).map(seenFromHere),
    get openCount() {
      return book.openCount;
    },
    openOn: (period) => book.openOn(period),
    nowMs: () => clock.nowMs(),
  };
}

/** Names a request with its budgets: nobody is answered with a reservation on those of others. */
function requestKey(requestId: string, budgets: readonly { readonly budgetId: string }[]): string {
  return JSON.stringify([requestId, ...budgets.map(({ budgetId }) => budgetId)]);
}
