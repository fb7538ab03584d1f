import type { PostedFigures } from "./figures.js";
import type { LeaseAnswer, LeaseTending, PeriodKey, TendedLease } from "./lease.js";
import type { GrowAnswer, GrowRequest, ReservationHold, TendAnswer } from "./ledger-messages.js";

/** A lease as the database's functions tell it; bigint as decimal text. */
export interface LeaseJson {
  readonly lease_id: string;
  readonly amount: string;
  readonly version: string;
}

interface FiguresJson {
  readonly expire_time: string;
  readonly limit: string | null;
  readonly spent: string;
  readonly leased: string;
}

/** What `grow_leases` answers. */
export interface GrowJson {
  readonly now: string;
  readonly admitted: readonly number[];
  readonly periods: readonly (LeaseJson & FiguresJson)[];
}

/** What `move_reservation` answers. */
export interface MoveJson {
  readonly outcome: "MOVED" | "REFUSED" | "ENDED";
  readonly answer?: GrowJson;
}

/** What `release_reservations` answers. */
export interface ReleaseJson {
  readonly released: readonly string[] | null;
  readonly leases: readonly LeaseJson[] | null;
}

/** What `tend_leases` answers. */
export interface TendJson {
  readonly now: string;
  readonly leases:
    | readonly (LeaseJson &
        FiguresJson & { readonly expired_until: string; readonly is_tight: boolean | null })[]
    | null;
}

/** Reads a lease. */
export function fromLeaseJson(lease: LeaseJson): LeaseAnswer {
  return {
    leaseId: BigInt(lease.lease_id),
    amount: BigInt(lease.amount),
    version: BigInt(lease.version),
  };
}

/** Reads where a period stood when spend was posted. */
export function fromPeriodJson(period: {
  readonly budget_id: string;
  readonly period_start: string;
  readonly spent: string;
  readonly leased: string;
}): PostedFigures {
  return {
    budgetId: period.budget_id,
    periodStartMs: Date.parse(period.period_start),
    spent: BigInt(period.spent),
    leased: BigInt(period.leased),
  };
}

/** A hold as the database's functions take it. */
export function toHoldJson(hold: ReservationHold) {
  return {
    ...toPeriodJson(hold),
    reservation_id: hold.uid,
    expire_time: new Date(hold.expireTimeMs).toISOString(),
    lease_id: hold.leaseId.toString(),
    held: hold.held.toString(),
  };
}

/** Names a period. */
export function toPeriodJson({ budgetId, periodStartMs }: PeriodKey) {
  return { budget_id: budgetId, period_start: new Date(periodStartMs).toISOString() };
}

/** The periods of a grow and what its callers ask of them. */
export function toGrowJson({ periods, callers }: GrowRequest): { wanted: string; asks: string } {
  const wanted = periods.map((period, index) => ({
    i: index + 1,
    ...toPeriodJson(period),
    expire_time: new Date(period.expireTimeMs).toISOString(),
    extra: period.extra.toString(),
  }));
  const asks = callers.flatMap((caller, index) =>
    caller.map((ask) => ({ c: index, i: ask.period + 1, amount: ask.amount.toString() })),
  );
  return { wanted: JSON.stringify(wanted), asks: JSON.stringify(asks) };
}

/** Reads the answer to a grow. */
export function fromGrowJson(request: GrowRequest, answer: GrowJson): GrowAnswer {
  const admitted = new Set(answer.admitted);
  return {
    nowMs: Date.parse(answer.now),
    // A caller that asked for nothing had all it needs set aside.
    admitted: request.callers.map((asks, index) => asks.length === 0 || admitted.has(index)),
    periods: answer.periods.map((period, index) => ({
      budgetId: request.periods[index]!.budgetId,
      periodStartMs: request.periods[index]!.periodStartMs,
      ...fromLeaseJson(period),
      ...fromFiguresJson(period),
    })),
  };
}

/** What is to be done for leases. */
export function toTendJson(tendings: readonly LeaseTending[]): string {
  return JSON.stringify(
    tendings.map((tending) => ({
      ...toPeriodJson(tending),
      lease_id: tending.leaseId.toString(),
      give: tending.give.toString(),
      is_expiring: tending.isExpiring,
      is_unsure: tending.isUnsure,
      expire_time: new Date(tending.expireTimeMs).toISOString(),
    })),
  );
}

/** Reads the answer to tending. */
export function fromTendJson({ now, leases }: TendJson): TendAnswer {
  return {
    nowMs: Date.parse(now),
    leases: (leases ?? []).map(
      (lease): TendedLease => ({
        ...fromLeaseJson(lease),
        ...fromFiguresJson(lease),
        expiredUntilMs: Date.parse(lease.expired_until),
        isTight: lease.is_tight === true,
      }),
    ),
  };
}

function fromFiguresJson(figures: FiguresJson) {
  return {
    expireTimeMs: Date.parse(figures.expire_time),
    limit: figures.limit === null ? undefined : BigInt(figures.limit),
    spent: BigInt(figures.spent),
    leased: BigInt(figures.leased),
  };
}
