import { isDatabaseUnavailable } from "../errors.js";
import type { DatabaseClock } from "./database-clock.js";
import { toGrowRequest } from "./grow-request.js";
import type { LeaseBook, Need } from "./lease-book.js";
import type { GrowRequest, ReservationHold } from "./ledger-messages.js";
import type { LedgerStore } from "./ledger-store.js";
import type { OpenReservation, ReservationTerms } from "./open-reservations.js";
import { withTimeLimit } from "./time-limit.js";

/** How a reservation fared that was to be taken over from another replica. */
export type MoveOutcome =
  | { readonly kind: "MOVED"; readonly reservation: OpenReservation }
  | { readonly kind: "REFUSED" }
  | { readonly kind: "ENDED" };

/** Takes over reservations of other replicas. */
export interface Mover {
  /**
   * Ends a reservation of another replica and makes its successor here, or neither.
   *
   * @throws DomainError DATABASE_UNAVAILABLE when no answer came in time: then the successor may
   *   hold its amounts until its expiry, so that the one who goes on with the former stays covered
   */
  move(
    holds: readonly ReservationHold[],
    needs: readonly Need[],
    terms: ReservationTerms,
  ): Promise<MoveOutcome>;
  /** Asks what became of those whose answer was lost. @throws what the store throws */
  resolve(): Promise<void>;
}

/** What a mover is made of. */
export interface MoverParts {
  readonly book: LeaseBook;
  readonly store: Pick<LedgerStore, "move">;
  readonly clock: DatabaseClock;
  /** The longest that a caller waits for the database, milliseconds. */
  readonly answerTimeoutMs: number;
}

interface Move {
  readonly holds: readonly ReservationHold[];
  readonly needs: readonly Need[];
  readonly terms: ReservationTerms;
  readonly request: GrowRequest;
}

/** Makes a mover. */
export function createMover(parts: MoverParts): Mover {
  const { book, store, clock, answerTimeoutMs } = parts;
  let unsure: readonly Move[] = [];

  async function ask(move: Move): Promise<MoveOutcome> {
    const { holds, needs, terms, request } = move;
    const sentAtMs = clock.steadyMs();
    const answer = await store.move(holds, terms.uid, request);
    if (typeof answer === "string") {
      book.dropAside(needs);
      return { kind: answer };
    }
    clock.learn(answer.nowMs, sentAtMs);
    for (const period of answer.periods) book.takeGrown(period, period);
    return { kind: "MOVED", reservation: book.reserveAside(needs, terms) };
  }

  async function askFirst(move: Move): Promise<MoveOutcome> {
    try {
      return await ask(move);
    } catch (error) {
      if (isDatabaseUnavailable(error)) unsure = [...unsure, move];
      else book.dropAside(move.needs);
      throw error;
    }
  }

  async function askAgain(move: Move): Promise<void> {
    if (move.terms.expireTimeMs <= clock.nowMs()) book.dropAside(move.needs);
    else await ask(move);
    unsure = unsure.filter((other) => other !== move);
  }

  return {
    async move(holds, needs, terms) {
      const wishes = { group: [{ needs, terms }], refills: [], nowMs: clock.nowMs() };
      const { request } = toGrowRequest(book, wishes);
      // Without a wish for more: asked again, it must not grow again.
      const periods = request.periods.map((period) => ({ ...period, extra: 0n }));
      const move = { holds, needs, terms, request: { ...request, periods } };
      return await withTimeLimit(askFirst(move), answerTimeoutMs);
    },
    async resolve() {
      for (const move of unsure) await askAgain(move);
    },
  };
}
