import { endWindow, noteDemand } from "./demand.js";
import {
  applyAnswer,
  freeOf,
  type GrownLease,
  isLow,
  type Lease,
  type LeaseAnswer,
  lackOf,
  openLease,
  type PeriodKey,
  periodKeyOf,
  resize,
} from "./lease.js";
import {
  createOpenReservations,
  type OpenReservation,
  type ReservationTerms,
} from "./open-reservations.js";
import { addHolds, type Hold } from "./reservation.js";

/** What a reservation needs from one period. */
export interface Need extends PeriodKey {
  /**
   * In the budget's measure, 0 or more. Even 0 needs that something is left, but for an extension.
   */
  readonly amount: bigint;
}

/** What a caller that has to wait needs beyond what is free here. */
export interface Ask extends PeriodKey {
  readonly amount: bigint;
}

/** The leases and open reservations of this replica. Pure: every step is synchronous. */
export interface LeaseBook {
  /** Whether every period has room in a lease that outlives the reservation. */
  hasRoom(needs: readonly Need[], terms: ReservationTerms): boolean;
  /** Reserves if there is room: all or none. */
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
  /**
   * Makes one of a reservation and its extension, under the name of the former and with the later
   * expiry. Undefined: the former has ended meanwhile, and the extension with it.
   */
  merge(uid: string, extension: OpenReservation): OpenReservation | undefined;
  /** A lease as a grow answered it; a lease that was swept meanwhile comes back under a new id. */
  takeGrown(period: PeriodKey, answer: GrownLease): void;
  /** Leases as another step answered them; unknown ones are other replicas'. */
  takeAnswers(answers: readonly LeaseAnswer[]): void;
  /** Forgets a reservation that was settled, released or expired. Unknown ones are no error. */
  end(uid: string): OpenReservation | undefined;
  find(uid: string): OpenReservation | undefined;
  /** The current lease on a period. */
  lease(period: PeriodKey): Lease | undefined;
  /** A lease of this replica, current or swept with reservations in it. */
  leaseById(leaseId: bigint): Lease | undefined;
  leases(): Iterable<Lease>;
  /** Forgets a lease that was swept. */
  drop(lease: Lease): void;
  /** How many reservations are open. */
  readonly openCount: number;
  /** Open reservations on one period. */
  openOn(period: PeriodKey): OpenReservation[];
  /** Open reservations that expire at or before a moment. */
  expiredBy(timeMs: number): OpenReservation[];
  /** Sizes what every lease should have in store by what was asked in the time gone by. */
  endWindow(elapsedMs: number): void;
  /** What a grow should bring beyond what callers need. */
  refillOf(period: PeriodKey): bigint;
  /** Forgets leases that have expired and hold nothing. */
  forgetExpired(timeMs: number): void;
}

/** A lease must outlive the reservations in it by this much, so that it is never swept first. */
const OUTLIVING_MS = 1_000;

/**
 * Makes an empty book.
 *
 * @param onLow - told once of each lease that has used up half of its store
 */
export function createLeaseBook(onLow: (lease: Lease) => void = () => {}): LeaseBook {
  const leases = new Map<string, Lease>();
  const leasesById = new Map<bigint, Lease>();
  const reservations = createOpenReservations();
  /** What waiting callers were promised on periods that have no lease yet. */
  const asideWithoutLease = new Map<string, bigint>();

  const leaseOf = (period: PeriodKey) => leases.get(periodKeyOf(period));

  function moveAside(need: Need, amount: bigint): void {
    const lease = leaseOf(need);
    if (lease) {
      lease.aside += amount;
      return;
    }
    const key = periodKeyOf(need);
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
    reservations.add(reservation);
    return reservation;
  }

  /** What is asked of a lease decides how much of it is kept in store, and for how long. */
  function note(lease: Lease, amount: bigint, terms: ReservationTerms): void {
    noteDemand(lease.demand, amount);
    lease.longestTtlMs = Math.max(lease.longestTtlMs, terms.expireTimeMs - terms.createTimeMs);
  }

  function end(uid: string): OpenReservation | undefined {
    const reservation = reservations.remove(uid);
    for (const hold of reservation?.holds ?? []) {
      const lease = leasesById.get(hold.leaseId);
      if (lease) lease.open -= hold.held;
    }
    return reservation;
  }

  function drop(lease: Lease): void {
    const key = periodKeyOf(lease);
    if (leases.get(key) === lease) {
      leases.delete(key);
      if (lease.aside !== 0n) asideWithoutLease.set(key, lease.aside);
    }
    if (lease.open === 0n) leasesById.delete(lease.leaseId);
  }

  function hasRoom(needs: readonly Need[], terms: ReservationTerms): boolean {
    for (const need of needs) {
      const lease = leaseOf(need);
      if (!lease || !outlives(lease, terms)) return false;
      const free = freeOf(lease);
      if (free < need.amount || (free <= 0n && !mayBeEmpty(need, terms))) return false;
    }
    return true;
  }

  return {
    hasRoom,
    end,
    drop,

    tryReserve(needs, terms) {
      if (!hasRoom(needs, terms)) return undefined;
      const reservation = open(needs, terms);
      for (const need of needs) {
        const lease = leaseOf(need)!;
        note(lease, need.amount, terms);
        if (isLow(lease)) {
          lease.isRefilling = true;
          onLow(lease);
        }
      }
      return reservation;
    },

    setAside(needs, terms) {
      const asks: Ask[] = [];
      for (const need of needs) {
        const lease = leaseOf(need);
        if (lease) note(lease, need.amount, terms);
        const free = lease && outlives(lease, terms) ? freeOf(lease) : 0n;
        const used = free <= 0n ? 0n : free < need.amount ? free : need.amount;
        moveAside(need, need.amount);
        // A need of 0 asks whether anything is left, unless something is left here.
        const isLacking = used < need.amount || (free <= 0n && !mayBeEmpty(need, terms));
        if (isLacking) asks.push({ ...need, amount: need.amount - used });
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

    merge(uid, extension) {
      reservations.remove(extension.uid);
      const former = reservations.remove(uid);
      if (!former) {
        reservations.add(extension);
        end(extension.uid);
        return undefined;
      }
      const merged = {
        ...former,
        expireTimeMs: Math.max(former.expireTimeMs, extension.expireTimeMs),
        holds: addHolds(former.holds, extension.holds),
      };
      reservations.add(merged);
      return merged;
    },

    takeGrown(period, answer) {
      const key = periodKeyOf(period);
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

    find: (uid) => reservations.find(uid),
    lease: leaseOf,
    leaseById: (leaseId) => leasesById.get(leaseId),
    leases: () => leases.values(),

    get openCount() {
      return reservations.size;
    },

    openOn(period) {
      const key = periodKeyOf(period);
      return [...reservations.values()].filter(({ holds }) =>
        holds.some((hold) => periodKeyOf(hold) === key),
      );
    },

    expiredBy: (timeMs) => reservations.expiredBy(timeMs),

    endWindow(elapsedMs) {
      for (const lease of leases.values()) {
        endWindow(lease.demand, elapsedMs);
        resize(lease);
      }
    },

    refillOf(period) {
      const lease = leaseOf(period);
      return lease ? lackOf(lease) : 0n;
    },

    forgetExpired(timeMs) {
      for (const [key, lease] of leases) {
        const isIdle = lease.open === 0n && lease.aside === 0n && lease.giving === 0n;
        if (lease.expireTimeMs <= timeMs && isIdle) leases.delete(key);
      }
      for (const [leaseId, lease] of leasesById) {
        const isCurrent = leases.get(periodKeyOf(lease)) === lease;
        if (!isCurrent && lease.open === 0n) leasesById.delete(leaseId);
      }
    },
  };
}

/** An extension by time alone needs no room. */
function mayBeEmpty(need: Need, { isExtension = false }: ReservationTerms): boolean {
  return isExtension && need.amount === 0n;
}

function outlives(lease: Lease, { expireTimeMs }: ReservationTerms): boolean {
  return lease.expireTimeMs >= expireTimeMs + OUTLIVING_MS;
}
