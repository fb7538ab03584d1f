import { type Demand, isActive, noDemand, targetOf } from "./demand.js";

/** Identifies one period of one budget. */
export interface PeriodKey {
  readonly budgetId: string;
  /** Start of the period, milliseconds since 1970. */
  readonly periodStartMs: number;
}

/** A period as the key of a map. */
export function periodKeyOf({ budgetId, periodStartMs }: PeriodKey): string {
  return `${periodStartMs} ${budgetId}`;
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

/** A lease as tending answers it. */
export interface TendedLease extends GrownLease {
  /** What expired up to then holds nothing any more, milliseconds since 1970. */
  readonly expiredUntilMs: number;
  /** So little is left of the budget that nobody keeps any in store. */
  readonly isTight: boolean;
}

/** What a replica wants done for a lease. */
export interface LeaseTending extends PeriodKey {
  readonly leaseId: bigint;
  /** Goes back to the budget; not free until the answer is known. */
  readonly give: bigint;
  /** Asks up to when reservations have expired. */
  readonly isExpiring: boolean;
  /** The answer to an earlier give was lost. */
  readonly isUnsure: boolean;
  /** The lease must not be swept before, milliseconds since 1970. */
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
  /** What is being given back, until an answer tells that it was. */
  giving: bigint;
  readonly demand: Demand;
  /** What should be free, by demand. */
  target: bigint;
  /** Nobody keeps any in store. */
  isTight: boolean;
  /** More was asked for and is under way. */
  isRefilling: boolean;
  /** The longest reservation asked for since the lease was last renewed, milliseconds. */
  longestTtlMs: number;
}

/** A lease outlives the reservations in it by this much when it is taken or renewed. */
export const LEASE_MARGIN_MS = 60_000;
/** A lease that outlives its reservations by less is renewed. */
const RENEWAL_MARGIN_MS = 30_000;

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
    giving: 0n,
    demand: noDemand(),
    target: 0n,
    isTight: false,
    isRefilling: false,
    longestTtlMs: 0,
  };
}

/** What can still be promised; negative while an answer is under way that will make up for it. */
export function freeOf(lease: Lease): bigint {
  return lease.amount - lease.open - lease.aside - lease.giving;
}

/** Takes an answer unless a newer one was taken before. */
export function applyAnswer(lease: Lease, answer: LeaseAnswer): void {
  if (answer.version <= lease.version) return;
  lease.amount = answer.amount;
  lease.version = answer.version;
}

/** Whether a lease has used up half of what it should have in store. */
export function isLow(lease: Lease): boolean {
  return lease.target > 0n && !lease.isRefilling && freeOf(lease) * 2n < lease.target;
}

/** How much a lease lacks of what it should have in store. */
export function lackOf(lease: Lease): bigint {
  const lack = lease.target - freeOf(lease);
  return lease.target > 0n && lack > 0n ? lack : 0n;
}

/** Sizes the store anew after a window of demand; a tight budget has none. */
export function resize(lease: Lease): void {
  lease.target = lease.isTight ? 0n : targetOf(lease.demand);
}

/**
 * What is to be done for a lease: idle amounts go back (with half as much again as the target
 * before it is worth a change), one that is in use is renewed and its figures are read. Undefined:
 * nothing.
 */
export function tendingOf(
  lease: Lease,
  { nowMs, isExpiring }: { readonly nowMs: number; readonly isExpiring: boolean },
): LeaseTending | undefined {
  const free = freeOf(lease);
  const give = free > lease.target + lease.target / 2n ? free - lease.target : 0n;
  const isUsed = isActive(lease.demand);
  const isUnsure = lease.giving > 0n;
  if (give === 0n && !isExpiring && !isUnsure && !isUsed) return undefined;
  const mustRenew = isUsed && lease.expireTimeMs < nowMs + lease.longestTtlMs + RENEWAL_MARGIN_MS;
  return {
    budgetId: lease.budgetId,
    periodStartMs: lease.periodStartMs,
    leaseId: lease.leaseId,
    give,
    isExpiring,
    isUnsure,
    expireTimeMs: mustRenew ? nowMs + lease.longestTtlMs + LEASE_MARGIN_MS : lease.expireTimeMs,
  };
}
