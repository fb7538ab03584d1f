import {
  applyAnswer,
  freeOf,
  type GrownLease,
  type LastFigures,
  type Lease,
  type LeaseAnswer,
  openLease,
  type PeriodKey,
} from "./lease.js";
import type { Hold, Reservation } from "./reservation.js";

/** What a reservation needs from one period. */
export interface Need extends PeriodKey {
  /** In the budget's measure, 0 or more. Even 0 needs that something is left. */
  readonly amount: bigint;
}

/** What a caller that has to wait needs beyond what is free here. */
export interface Ask extends PeriodKey {
  readonly amount: bigint;
}

/** Who a reservation is for, and how long it holds. */
export interface ReservationTerms {
  readonly uid: string;
  /** The request that the check named, or "". */
  readonly requestId: string;
  /** When it was made, milliseconds since 1970 by the database's clock. */
  readonly createTimeMs: number;
  /** Milliseconds since 1970 by the database's clock. */
  readonly expireTimeMs: number;
}

/** A reservation that this replica holds. */
export interface OpenReservation extends Reservation, ReservationTerms {}

/** The leases and open reservations of this replica. Pure: every step is synchronous. */
export interface LeaseBook {
  /** Reserves if every period has room in a lease that outlives the reservation: all or none. */
  tryReserve(needs: readonly Need[], terms: ReservationTerms): OpenReservation | undefined;
  /**
   * Sets what is free aside for a caller that has to wait, and says what is missing. A lease that
   * does not outlive the reservation may be swept while the caller waits: it has nothing free.
   */
  setAside(needs: readonly Need[], terms: ReservationTerms): Ask[];
  /** Makes the reservation of a caller that waited and was admitted. */
  reserveAside(needs: readonly Need[], terms: ReservationTerms): OpenReservation;
  /** Gives up what was set aside for a caller that waited and was refused. */
  dropAside(needs: readonly Need[]): void;
  /** A lease as a grow answered it; a lease that was swept meanwhile comes back under a new id. */
  takeGrown(period: PeriodKey, answer: GrownLease): void;
  /** Leases as another step answered them; unknown ones are other replicas'. */
  takeAnswers(answers: readonly LeaseAnswer[]): void;
  /** Forgets a reservation that was settled, released or expired. Unknown ones are no error. */
  end(uid: string): OpenReservation | undefined;
  find(uid: string): OpenReservation | undefined;
  /** What is free in the lease on a period, 0 without one. */
  free(period: PeriodKey): bigint;
  /** Where a period stood when its lease last grew; undefined without a lease. */
  figures(period: PeriodKey): LastFigures | undefined;
  /** Open reservations on one period. */
  openOn(period: PeriodKey): OpenReservation[];
  /** Open reservations that expire at or before a moment. */
  expiredBy(timeMs: number): OpenReservation[];
  /** Forgets leases that have expired and hold nothing. */
  forgetExpired(timeMs: number): void;
}

/** A lease must outlive the reservations in it by this much, so that it is never swept first. */
const LEASE_MARGIN_MS = 1_000;

/** Makes an empty book. */
export function createLeaseBook(): LeaseBook {
  const leases = new Map<string, Lease>();
  const leasesById = new Map<bigint, Lease>();
  const reservations = new Map<string, OpenReservation>();
  /** What waiting callers were promised on periods that have no lease yet. */
  const asideWithoutLease = new Map<string, bigint>();

  const leaseOf = (period: PeriodKey) => leases.get(keyOf(period));

  function moveAside(need: Need, amount: bigint): void {
    const lease = leaseOf(need);
    if (lease) {
      lease.aside += amount;
      return;
    }
    const key = keyOf(need);
    asideWithoutLease.set(key, (asideWithoutLease.get(key) ?? 0n) + amount);
  }

  function open(needs: readonly Need[], terms: ReservationTerms): OpenReservation {
    const holds = needs.map((need): Hold => {
      const lease = leaseOf(need)!;
      lease.open += need.amount;
      return {
        leaseId: lease.leaseId,
        budgetId: need.budgetId,
        periodStartMs: need.periodStartMs,
        held: need.amount,
      };
    });
    const reservation = { ...terms, holds };
    reservations.set(terms.uid, reservation);
    return reservation;
  }

  return {
    tryReserve(needs, terms) {
      for (const need of needs) {
        const lease = leaseOf(need);
        if (!lease || !outlives(lease, terms)) return undefined;
        const free = freeOf(lease);
        if (free <= 0n || free < need.amount) return undefined;
      }
      return open(needs, terms);
    },

    setAside(needs, terms) {
      const asks: Ask[] = [];
      for (const need of needs) {
        const lease = leaseOf(need);
        const free = lease && outlives(lease, terms) ? freeOf(lease) : 0n;
        const used = free <= 0n ? 0n : free < need.amount ? free : need.amount;
        moveAside(need, need.amount);
        // A need of 0 asks whether anything is left, unless something is left here.
        if (used < need.amount || free <= 0n) asks.push({ ...need, amount: need.amount - used });
      }
      return asks;
    },

    reserveAside(needs, terms) {
      for (const need of needs) moveAside(need, -need.amount);
      return open(needs, terms);
    },

    dropAside(needs) {
      for (const need of needs) moveAside(need, -need.amount);
    },

    takeGrown(period, answer) {
      const key = keyOf(period);
      const known = leases.get(key);
      if (known?.leaseId === answer.leaseId) {
        applyAnswer(known, answer);
        known.expireTimeMs = Math.max(known.expireTimeMs, answer.expireTimeMs);
        known.figures = answer;
        return;
      }
      const lease = openLease(period, answer);
      lease.aside = known?.aside ?? asideWithoutLease.get(key) ?? 0n;
      asideWithoutLease.delete(key);
      leases.set(key, lease);
      leasesById.set(lease.leaseId, lease);
    },

    takeAnswers(answers) {
      for (const answer of answers) {
        const lease = leasesById.get(answer.leaseId);
        if (lease) applyAnswer(lease, answer);
      }
    },

    end(uid) {
      const reservation = reservations.get(uid);
      if (!reservation) return undefined;
      reservations.delete(uid);
      for (const hold of reservation.holds) {
        const lease = leasesById.get(hold.leaseId);
        if (lease) lease.open -= hold.held;
      }
      return reservation;
    },

    find: (uid) => reservations.get(uid),

    free(period) {
      const lease = leaseOf(period);
      return lease ? freeOf(lease) : 0n;
    },

    figures: (period) => leaseOf(period)?.figures,

    openOn(period) {
      return [...reservations.values()].filter(({ holds }) =>
        holds.some((hold) => keyOf(hold) === keyOf(period)),
      );
    },

    expiredBy: (timeMs) =>
      [...reservations.values()].filter(({ expireTimeMs }) => expireTimeMs <= timeMs),

    forgetExpired(timeMs) {
      for (const [key, lease] of leases) {
        const isIdle = lease.open === 0n && lease.aside === 0n;
        if (lease.expireTimeMs <= timeMs && isIdle) leases.delete(key);
      }
      for (const [leaseId, lease] of leasesById) {
        const isCurrent = leases.get(keyOf(lease)) === lease;
        if (!isCurrent && lease.open === 0n) leasesById.delete(leaseId);
      }
    },
  };
}

function outlives(lease: Lease, { expireTimeMs }: ReservationTerms): boolean {
  return lease.expireTimeMs >= expireTimeMs + LEASE_MARGIN_MS;
}

function keyOf({ budgetId, periodStartMs }: PeriodKey): string {
  return `${periodStartMs} ${budgetId}`;
}
