/** Identifies one period of one budget. */
export interface PeriodKey {
  readonly budgetId: string;
  /** Start of the period, milliseconds since 1970. */
  readonly periodStartMs: number;
}

/** A lease as the database answers it: absolute, never a difference. */
export interface LeaseAnswer {
  readonly leaseId: bigint;
  readonly amount: bigint;
  /** Counts the changes of the lease's row. */
  readonly version: bigint;
}

/** Where a period stood when it was last heard of. */
export interface LastFigures {
  /** Unset: unlimited, or the budget is gone. */
  readonly limit: bigint | undefined;
  readonly spent: bigint;
  /** Sum of all replicas' leases. */
  readonly leased: bigint;
}

/** A lease as a grow answers it. */
export interface GrownLease extends LeaseAnswer, LastFigures {
  readonly expireTimeMs: number;
}

/**
 * What this replica may promise out of one period of a budget without asking. The database's
 * answers may arrive in any order, so an answer is taken only if its version is newer than the
 * last one taken.
 */
export interface Lease extends PeriodKey {
  readonly leaseId: bigint;
  amount: bigint;
  version: bigint;
  /** When other replicas may sweep it, milliseconds since 1970 by the database's clock. */
  expireTimeMs: number;
  figures: LastFigures;
  /** Sum of the open reservations. */
  open: bigint;
  /**
   * What callers were promised that wait for an answer: the part of the free amount that they
   * will use and what they asked for. Counting the latter before it has come keeps others from
   * taking it, should a later answer that includes it arrive first. So free may be negative
   * while an answer is under way.
   */
  aside: bigint;
}

/** A lease that the database has just told of for the first time. */
export function openLease(period: PeriodKey, answer: GrownLease): Lease {
  return {
    budgetId: period.budgetId,
    periodStartMs: period.periodStartMs,
    leaseId: answer.leaseId,
    amount: answer.amount,
    version: answer.version,
    expireTimeMs: answer.expireTimeMs,
    figures: answer,
    open: 0n,
    aside: 0n,
  };
}

/** What can still be promised; negative while an answer is under way that will make up for it. */
export function freeOf(lease: Lease): bigint {
  return lease.amount - lease.open - lease.aside;
}

/** Takes an answer unless a newer one was taken before. */
export function applyAnswer(lease: Lease, answer: LeaseAnswer): void {
  if (answer.version <= lease.version) return;
  lease.amount = answer.amount;
  lease.version = answer.version;
}
