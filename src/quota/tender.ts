import type { DatabaseClock } from "./database-clock.js";
import { applyAnswer, freeOf, type Lease, type LeaseTending, resize, tendingOf } from "./lease.js";
import type { LeaseBook } from "./lease-book.js";
import type { LedgerStore } from "./ledger-store.js";
import type { OpenReservation } from "./open-reservations.js";

/** Looks after the leases of a replica: gives back what is idle, renews, ends what has expired. */
export interface Tender {
  /**
   * One round, to be made about once a second.
   *
   * @throws what the store throws; the next round resolves what became of this one
   */
  beat(): Promise<void>;
  /** Gives back all that is not promised, for a replica that stops. @throws as above */
  giveAll(): Promise<void>;
}

/** What a tender is made of. */
export interface TenderParts {
  readonly book: LeaseBook;
  readonly store: Pick<LedgerStore, "tend">;
  readonly clock: DatabaseClock;
  /** Told of each reservation that has expired without being settled or released here. */
  readonly onExpired: (reservation: OpenReservation) => void;
}

/** The most leases in one question, so that no row stays locked for long. */
const MAX_TENDED = 500;

/** Makes a tender. Its rounds must not overlap. */
export function createTender(parts: TenderParts): Tender {
  const { book, store, clock, onExpired } = parts;
  let number = BigInt(0);
  let windowStartMs = clock.steadyMs();

  async function tend(expired: readonly OpenReservation[]): Promise<void> {
    const expiring = new Set(expired.flatMap(({ holds }) => holds.map(({ leaseId }) => leaseId)));
    const nowMs = clock.nowMs();
    const tendings: LeaseTending[] = [];
    for (const lease of book.leases()) {
      const tending = tendingOf(lease, { nowMs, isExpiring: expiring.has(lease.leaseId) });
      if (tending) tendings.push(tending);
    }
    const expiredUntil = new Map<bigint, number>();
    for (let at = 0; at < tendings.length; at += MAX_TENDED) {
      await ask(tendings.slice(at, at + MAX_TENDED), expiredUntil);
    }
    for (const { uid } of expired) endIfExpired(uid, expiredUntil);
  }

  async function ask(
    tendings: readonly LeaseTending[],
    expiredUntil: Map<bigint, number>,
  ): Promise<void> {
    // An answer that is lost leaves it there: the next round asks what became of it.
    for (const { leaseId, give } of tendings) book.leaseById(leaseId)!.giving += give;
    number += 1n;
    const sentAtMs = clock.steadyMs();
    const { nowMs, leases } = await store.tend(number, tendings);
    clock.learn(nowMs, sentAtMs);
    const answers = new Map(leases.map((answer) => [answer.leaseId, answer]));
    for (const { leaseId } of tendings) {
      const lease = book.leaseById(leaseId);
      if (!lease) continue;
      lease.giving = 0n;
      const answer = answers.get(leaseId);
      if (!answer) {
        book.drop(lease);
        continue;
      }
      applyAnswer(lease, answer);
      if (answer.expireTimeMs > lease.expireTimeMs) renew(lease, answer.expireTimeMs);
      lease.figures = answer;
      lease.isTight = answer.isTight;
      resize(lease);
      expiredUntil.set(leaseId, answer.expiredUntilMs);
    }
  }

  /** It holds nothing any more once each of its leases is past its expiry, or gone. */
  function endIfExpired(uid: string, expiredUntil: ReadonlyMap<bigint, number>): void {
    // It may have been extended or have ended meanwhile.
    const reservation = book.find(uid);
    if (!reservation) return;
    const isOver = reservation.holds.every((hold) => {
      const lease = book.leaseById(hold.leaseId);
      if (!lease || book.lease(lease) !== lease) return true;
      return (expiredUntil.get(hold.leaseId) ?? 0) >= reservation.expireTimeMs;
    });
    if (isOver) onExpired(reservation);
  }

  return {
    async beat() {
      const nowSteadyMs = clock.steadyMs();
      book.endWindow(nowSteadyMs - windowStartMs);
      windowStartMs = nowSteadyMs;
      await tend(book.expiredBy(clock.nowMs()));
      // What has just been found tight goes back now: others may be denied for want of it.
      if (hasTightStore(book.leases())) await tend([]);
    },
    async giveAll() {
      for (const lease of book.leases()) lease.isTight = true;
      book.endWindow(1);
      await tend([]);
    },
  };
}

function hasTightStore(leases: Iterable<Lease>): boolean {
  for (const lease of leases) if (lease.isTight && freeOf(lease) > 0n) return true;
  return false;
}

function renew(lease: Lease, expireTimeMs: number): void {
  lease.expireTimeMs = expireTimeMs;
  lease.longestTtlMs = 0;
}
