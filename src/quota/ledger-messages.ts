import type { PeriodFigures } from "./figures.js";
import type { LeaseAnswer, PeriodKey, TendedLease } from "./lease.js";
import type { Hold } from "./reservation.js";

/** A group of waiting checks, each served all or none, in their order. */
export interface GrowRequest {
  readonly periods: readonly (PeriodKey & {
    /** The lease must not expire before, milliseconds since 1970. */
    readonly expireTimeMs: number;
    /** Wanted beyond the asks; at most half of what is free is given. */
    readonly extra: bigint;
  })[];
  /** Amounts by index into `periods`; one list a caller. */
  readonly callers: readonly (readonly { readonly period: number; readonly amount: bigint }[])[];
}

/** What a grow gave. */
export interface GrowAnswer {
  /** The database's clock, milliseconds since 1970. */
  readonly nowMs: number;
  /** By index: whether the caller was admitted. */
  readonly admitted: readonly boolean[];
  /** In the order of the request. */
  readonly periods: readonly (PeriodFigures & LeaseAnswer & { readonly expireTimeMs: number })[];
}

/** A hold with the reservation that it belongs to. */
export interface ReservationHold extends Hold {
  readonly uid: string;
  readonly expireTimeMs: number;
}

/** What a release did. */
export interface ReleaseAnswer {
  /** Reservations that this call ended; the others had ended before. */
  readonly released: ReadonlySet<string>;
  readonly leases: readonly LeaseAnswer[];
}

/** How tended leases stand; those that were swept are missing. */
export interface TendAnswer {
  /** The database's clock, milliseconds since 1970. */
  readonly nowMs: number;
  readonly leases: readonly TendedLease[];
}
