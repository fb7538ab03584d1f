import type { Reservation } from "./reservation.js";

/** Who a reservation is for, and how long it holds. */
export interface ReservationTerms {
  readonly uid: string;
  /** The request that the check named, or "". */
  readonly requestId: string;
  /** When it was made, milliseconds since 1970 by the database's clock. */
  readonly createTimeMs: number;
  /** Milliseconds since 1970 by the database's clock. */
  readonly expireTimeMs: number;
  /** Adds to an open reservation: then a need of 0 needs nothing to be left. */
  readonly isExtension?: boolean;
}

/** A reservation that this replica holds. */
export interface OpenReservation extends Reservation, ReservationTerms {}

/** Reservations by their ids, and by the second in which they expire. */
export interface OpenReservations {
  add(reservation: OpenReservation): void;
  /** Unknown ids are no error. */
  remove(uid: string): OpenReservation | undefined;
  find(uid: string): OpenReservation | undefined;
  /** Those that expire at or before a moment. */
  expiredBy(timeMs: number): OpenReservation[];
  values(): IterableIterator<OpenReservation>;
  readonly size: number;
}

/** Makes an empty table. Looking for the expired ones costs as many steps as there are seconds. */
export function createOpenReservations(): OpenReservations {
  const byUid = new Map<string, OpenReservation>();
  const bySecond = new Map<number, Set<OpenReservation>>();

  return {
    add(reservation) {
      byUid.set(reservation.uid, reservation);
      const second = secondOf(reservation);
      const others = bySecond.get(second);
      if (others) others.add(reservation);
      else bySecond.set(second, new Set([reservation]));
    },
    remove(uid) {
      const reservation = byUid.get(uid);
      if (!reservation) return undefined;
      byUid.delete(uid);
      const second = secondOf(reservation);
      const others = bySecond.get(second);
      others?.delete(reservation);
      if (others?.size === 0) bySecond.delete(second);
      return reservation;
    },
    find: (uid) => byUid.get(uid),
    expiredBy(timeMs) {
      const expired: OpenReservation[] = [];
      for (const [second, reservations] of bySecond) {
        if (second * 1_000 > timeMs) continue;
        for (const reservation of reservations) {
          if (reservation.expireTimeMs <= timeMs) expired.push(reservation);
        }
      }
      return expired;
    },
    values: () => byUid.values(),
    get size() {
      return byUid.size;
    },
  };
}

function secondOf({ expireTimeMs }: OpenReservation): number {
  return Math.floor(expireTimeMs / 1_000);
}
