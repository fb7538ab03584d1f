import { databaseUnavailable } from "../errors.js";
import type { DatabaseClock } from "./database-clock.js";
import type { PeriodFigures } from "./figures.js";
import { toGrowRequest } from "./grow-request.js";
import { type Lease, periodKeyOf } from "./lease.js";
import type { LeaseBook, Need } from "./lease-book.js";
import type { GrowAnswer } from "./ledger-messages.js";
import type { LedgerStore } from "./ledger-store.js";
import type { OpenReservation, ReservationTerms } from "./open-reservations.js";

/** How a check that had to wait was answered. */
export interface GrowOutcome {
  /** Unset: refused. */
  readonly reservation: OpenReservation | undefined;
  /** Where each of the needed periods stood after it, in the order of the needs. */
  readonly figures: readonly PeriodFigures[];
}

/** Asks the database for what leases lack, once for all callers that wait. */
export interface Grower {
  /**
   * @throws DomainError DATABASE_UNAVAILABLE when no answer came in time, or what the store throws,
   *   for every caller of the group
   */
  grow(needs: readonly Need[], terms: ReservationTerms): Promise<GrowOutcome>;
  /** Brings a lease back to its target; nobody waits for it. */
  refill(lease: Lease): void;
}

/** What a grower is made of. */
export interface GrowerParts {
  readonly book: LeaseBook;
  readonly store: Pick<LedgerStore, "grow">;
  readonly clock: DatabaseClock;
  /** The longest that a caller waits for the database, milliseconds. */
  readonly answerTimeoutMs: number;
}

interface Waiter {
  readonly needs: readonly Need[];
  readonly terms: ReservationTerms;
  resolve(outcome: GrowOutcome): void;
  reject(error: unknown): void;
  /** Has been told that no answer came in time. */
  isGone: boolean;
}

/** The most callers and refills in one question, so that no row stays locked for long. */
const MAX_GROUP = 256;

/**
 * One question is under way at a time; whoever comes meanwhile waits for the next. In a question
 * each caller is served all or none, in the order of arrival, so that a budget with room for k
 * equal callers admits exactly k.
 */
export function createGrower(parts: GrowerParts): Grower {
  const { book, store, clock, answerTimeoutMs } = parts;
  let waiters: Waiter[] = [];
  let low: Lease[] = [];
  let isRunning = false;

  async function run(): Promise<void> {
    // Lets the other calls that arrived in the same turn of the event loop join.
    await new Promise(setImmediate);
    while (waiters.length > 0 || low.length > 0) {
      const group = waiters.slice(0, MAX_GROUP).filter(({ isGone }) => !isGone);
      waiters = waiters.slice(MAX_GROUP);
      const refills = low.slice(0, MAX_GROUP);
      low = low.slice(MAX_GROUP);
      await serve(group, refills);
    }
    isRunning = false;
  }

  function wake(): void {
    if (isRunning) return;
    isRunning = true;
    void run();
  }

  async function serve(group: readonly Waiter[], refills: readonly Lease[]): Promise<void> {
    if (group.length === 0 && refills.length === 0) return;
    const { request, keys } = toGrowRequest(book, { group, refills, nowMs: clock.nowMs() });
    try {
      const sentAtMs = clock.steadyMs();
      const answer = await store.grow(request);
      take(answer, sentAtMs);
      group.forEach((waiter, index) => {
        settle(waiter, answer.admitted[index] === true, answer, keys);
      });
    } catch (error) {
      for (const waiter of group) {
        book.dropAside(waiter.needs);
        waiter.reject(error);
      }
    } finally {
      for (const lease of refills) lease.isRefilling = false;
    }
  }

  function take(answer: GrowAnswer, sentAtMs: number): void {
    clock.learn(answer.nowMs, sentAtMs);
    for (const period of answer.periods) book.takeGrown(period, period);
  }

  function settle(
    waiter: Waiter,
    isAdmitted: boolean,
    answer: GrowAnswer,
    keys: ReadonlyMap<string, number>,
  ): void {
    const { needs, terms } = waiter;
    if (waiter.isGone) {
      // What was granted stays in the lease, free for others.
      book.dropAside(needs);
      return;
    }
    const figures = needs.map((need) => answer.periods[keys.get(periodKeyOf(need))!]!);
    if (isAdmitted) {
      waiter.resolve({ reservation: book.reserveAside(needs, terms), figures });
      return;
    }
    book.dropAside(needs);
    // The answer may have told of more in the lease than was known here, when an earlier one was
    // lost: then there is room without what the budget refused.
    waiter.resolve({ reservation: book.tryReserve(needs, terms), figures });
  }

  return {
    grow(needs, terms) {
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiter.isGone = true;
          reject(databaseUnavailable());
        }, answerTimeoutMs);
        const waiter: Waiter = {
          needs,
          terms,
          isGone: false,
          resolve(outcome) {
            clearTimeout(timer);
            resolve(outcome);
          },
          reject(error) {
            clearTimeout(timer);
            reject(error);
          },
        };
        waiters.push(waiter);
        wake();
      });
    },
    refill(lease) {
      low.push(lease);
      wake();
    },
  };
}
