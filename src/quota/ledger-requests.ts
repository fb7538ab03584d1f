import type { BudgetFigures } from "./figures.js";
import type { LeaseAnswer } from "./lease.js";
import type { Need } from "./lease-book.js";
import type { OpenReservation } from "./open-reservations.js";

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

/** How a reservation was answered. */
export interface ReserveOutcome {
  /** Unset: refused. */
  readonly reservation: OpenReservation | undefined;
  /** Where each of the needed periods stands after it, in the order of the needs. */
  readonly figures: readonly BudgetFigures[];
}

/** That reservations were settled, for the replica whose leases they were in. */
export interface SettledNotice {
  readonly uids: readonly string[];
  /** How the leases stood after it. */
  readonly leases: readonly LeaseAnswer[];
}

/** What a reservation should become. */
export interface ExtendRequest {
  /** What it should hold in all, in the order of its holds; it never holds less than before. */
  readonly totals: readonly bigint[];
  /** It should last so long from now; it never ends earlier than before. Unset: as it is. */
  readonly ttlMs: number | undefined;
}

/** How an extension was answered. */
export type ExtendOutcome =
  | { readonly kind: "EXTENDED" | "REFUSED"; readonly outcome: ReserveOutcome }
  /** It had been settled, released or had expired. */
  | { readonly kind: "ENDED" };
