import type { DatabaseClock } from "./database-clock.js";
import type { BudgetFigures } from "./figures.js";
import type { PeriodKey } from "./lease.js";
import type { LeaseBook, Need } from "./lease-book.js";
import type { ExtendOutcome, ExtendRequest, ReserveOutcome } from "./ledger-requests.js";
import type { Mover } from "./mover.js";
import type { OpenReservation, ReservationTerms } from "./open-reservations.js";
import { toHolds } from "./releaser.js";
import type { Reservation } from "./reservation.js";

/** Makes reservations hold more, or longer. */
export interface Extender {
  /** @throws DomainError DATABASE_UNAVAILABLE when the database is needed and away */
  extend(reservation: Reservation, request: ExtendRequest): Promise<ExtendOutcome>;
}

/** What an extender is made of. */
export interface ExtenderParts {
  readonly book: LeaseBook;
  readonly mover: Pick<Mover, "move">;
  readonly clock: DatabaseClock;
  readonly makeUid: () => string;
  readonly reserve: (needs: readonly Need[], terms: ReservationTerms) => Promise<ReserveOutcome>;
  readonly figures: (keys: readonly PeriodKey[]) => Promise<readonly BudgetFigures[]>;
}

/** Makes an extender. */
export function createExtender(parts: ExtenderParts): Extender {
  const { book, mover, clock, makeUid } = parts;

  function termsOf(
    { expireTimeMs, requestId }: Reservation & { readonly requestId: string },
    { ttlMs }: ExtendRequest,
  ): ReservationTerms {
    const createTimeMs = clock.nowMs();
    const laterMs = ttlMs === undefined ? 0 : createTimeMs + ttlMs;
    return {
      uid: makeUid(),
      requestId,
      createTimeMs,
      expireTimeMs: Math.max(expireTimeMs, laterMs),
      isExtension: true,
    };
  }

  async function extendHere(open: OpenReservation, request: ExtendRequest): Promise<ExtendOutcome> {
    const needs = open.holds.map(({ budgetId, periodStartMs, held }, index) => {
      const more = (request.totals[index] ?? 0n) - held;
      return { budgetId, periodStartMs, amount: more > 0n ? more : 0n };
    });
    const outcome = await parts.reserve(needs, termsOf(open, request));
    if (!outcome.reservation) return { kind: "REFUSED", outcome };
    const reservation = book.merge(open.uid, outcome.reservation);
    if (!reservation) return { kind: "ENDED" };
    return { kind: "EXTENDED", outcome: { ...outcome, reservation } };
  }

  /** The replica that made it does not answer here: its successor is made in leases of this one. */
  async function takeOver(
    reservation: Reservation,
    request: ExtendRequest,
  ): Promise<ExtendOutcome> {
    const needs = reservation.holds.map(({ budgetId, periodStartMs, held }, index) => {
      const total = request.totals[index] ?? 0n;
      return { budgetId, periodStartMs, amount: total > held ? total : held };
    });
    const terms = termsOf({ ...reservation, requestId: "" }, request);
    const moved = await mover.move(toHolds(reservation), needs, terms);
    if (moved.kind === "ENDED") return { kind: "ENDED" };
    const figures = await parts.figures(needs);
    if (moved.kind === "REFUSED") {
      return { kind: "REFUSED", outcome: { reservation: undefined, figures } };
    }
    return { kind: "EXTENDED", outcome: { reservation: moved.reservation, figures } };
  }

  return {
    async extend(reservation, request) {
      const open = book.find(reservation.uid);
      const { expireTimeMs } = open ?? reservation;
      if (expireTimeMs <= clock.nowMs()) return { kind: "ENDED" };
      if (open) return await extendHere(open, request);
      const isOurs = reservation.holds.some(({ leaseId }) => book.leaseById(leaseId));
      return isOurs ? { kind: "ENDED" } : await takeOver(reservation, request);
    },
  };
}
