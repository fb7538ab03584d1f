import type { DatabaseClock } from "./database-clock.js";
import type { PeriodKey } from "./lease.js";
import type { LeaseBook, Need, OpenReservation, ReservationTerms } from "./lease-book.js";
import type { GrowAnswer, GrowRequest, LedgerStore, PeriodFigures } from "./ledger-store.js";

/** How a check that had to wait was answered. */
export interface GrowOutcome {
  /** Unset: refused. */
  readonly reservation: OpenReservation | undefined;
  /**
   * Where each of the needed periods stands, in the order of the needs: now, or if the database was
   * not asked, when it was last heard of.
   */
  readonly figures: readonly PeriodFigures[];
}

/** Asks the database for what leases lack, once for all callers that wait. */
export interface Grower {
  /** @throws what the store throws, for every caller of the group. */
  grow(needs: readonly Need[], terms: ReservationTerms): Promise<GrowOutcome>;
}

interface Waiter {
  readonly needs: readonly Need[];
  readonly terms: ReservationTerms;
  readonly resolve: (outcome: GrowOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** The most callers in one question, so that no row stays locked for long. */
const MAX_GROUP = 256;
/** A lease outlives the reservations in it by this much. */
const LEASE_MARGIN_MS = 60_000;

/**
 * One question is under way at a time; whoever comes meanwhile waits for the next. In a question
 * each caller is served all or none, in the order of arrival, so that a budget with room for k
 * equal callers admits exactly k.
 */
export function createGrower(parts: {
  book: LeaseBook;
  store: Pick<LedgerStore, "grow">;
  clock: DatabaseClock;
}): Grower {
  const { book, store, clock } = parts;
  let waiters: Waiter[] = [];
  let isRunning = false;

  async function run(): Promise<void> {
    // Lets the other calls that arrived in the same turn of the event loop join.
    await new Promise(setImmediate);
    while (waiters.length > 0) {
      const group = waiters.slice(0, MAX_GROUP);
      waiters = waiters.slice(MAX_GROUP);
      await serve(group);
    }
    isRunning = false;
  }

  async function serve(group: readonly Waiter[]): Promise<void> {
    const { request, keys } = toRequest(book, group);
    try {
      const sentAtMs = clock.steadyMs();
      const answer = await store.grow(request);
      clock.learn(answer.nowMs, sentAtMs);
      answer.periods.forEach((period) => {
        book.takeGrown(period, period);
      });
      group.forEach((waiter, index) => {
        waiter.resolve(outcomeOf(waiter, answer.admitted[index] === true, answer, keys));
      });
    } catch (error) {
      for (const waiter of group) {
        book.dropAside(waiter.needs);
        waiter.reject(error);
      }
    }
  }

  function outcomeOf(
    { needs, terms }: Waiter,
    isAdmitted: boolean,
    answer: GrowAnswer,
    keys: ReadonlyMap<string, number>,
  ): GrowOutcome {
    const figures = needs.map((need) => answer.periods[keys.get(keyOf(need))!]!);
    if (isAdmitted) return { reservation: book.reserveAside(needs, terms), figures };
    book.dropAside(needs);
    // The answer may have told of more in the lease than was known here, when an earlier one was
    // lost: then there is room without what the budget refused.
    return { reservation: book.tryReserve(needs, terms), figures };
  }

  return {
    grow(needs, terms) {
      return new Promise((resolve, reject) => {
        waiters.push({ needs, terms, resolve, reject });
        if (isRunning) return;
        isRunning = true;
        void run();
      });
    },
  };
}

/** Folds what the callers need into one question. */
function toRequest(book: LeaseBook, group: readonly Waiter[]) {
  const keys = new Map<string, number>();
  const periods: {
    budgetId: string;
    periodStartMs: number;
    expireTimeMs: number;
    extra: bigint;
  }[] = [];
  const indexOf = (period: PeriodKey, expireTimeMs: number) => {
    const key = keyOf(period);
    const known = keys.get(key);
    if (known !== undefined) {
      const entry = periods[known]!;
      entry.expireTimeMs = Math.max(entry.expireTimeMs, expireTimeMs);
      return known;
    }
    const { budgetId, periodStartMs } = period;
    keys.set(key, periods.length);
    return periods.push({ budgetId, periodStartMs, expireTimeMs, extra: 0n }) - 1;
  };
  const callers = group.map(({ needs, terms }) => {
    const expireTimeMs = terms.expireTimeMs + LEASE_MARGIN_MS;
    for (const need of needs) indexOf(need, expireTimeMs);
    return book
      .setAside(needs, terms)
      .map((ask) => ({ period: indexOf(ask, expireTimeMs), amount: ask.amount }));
  });
  const request: GrowRequest = { periods, callers };
  return { request, keys };
}

function keyOf({ budgetId, periodStartMs }: PeriodKey): string {
  return `${periodStartMs} ${budgetId}`;
}
