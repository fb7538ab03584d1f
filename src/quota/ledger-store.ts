import type { Database } from "../database/database.js";
import { withRetry } from "../database/retry.js";
import type { LeaseAnswer, PeriodKey } from "./lease.js";
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

/** Where a period stands. */
export interface PeriodFigures extends PeriodKey {
  /** Unset: unlimited, or the budget is gone. */
  readonly limit: bigint | undefined;
  readonly spent: bigint;
  /** Sum of all replicas' leases. */
  readonly leased: bigint;
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

/** What the ledger needs of PostgreSQL. Every step is one round trip and one transaction. */
export interface LedgerStore {
  /** The database's clock, milliseconds since 1970. */
  readClock(): Promise<number>;
  grow(request: GrowRequest): Promise<GrowAnswer>;
  release(holds: readonly ReservationHold[]): Promise<ReleaseAnswer>;
  /** In the order of the keys; a period without a row has spent nothing. */
  readPeriods(keys: readonly PeriodKey[]): Promise<PeriodFigures[]>;
  /** Returns what expired leases hold to their budgets; how many leases went. */
  sweep(maxLeases: number): Promise<number>;
}

/** The store over the functions of migration 0006. */
export function createLedgerStore(database: Database, replicaId: string): LedgerStore {
  const call = <T>(sql: string, bindings: readonly string[]): Promise<T> =>
    withRetry(async () => {
      const { rows } = await database.knex.raw(sql, bindings as string[]);
      return rows[0].answer as T;
    });
  return {
    async readClock() {
      const { rows } = await database.knex.raw("select clock_timestamp() as now");
      return (rows[0].now as Date).getTime();
    },
    async grow(request) {
      const answer = await call<GrowJson>("select grow_leases(?, ?::json, ?::json) as answer", [
        replicaId,
        JSON.stringify(request.periods.map(toWantedJson)),
        JSON.stringify(request.callers.flatMap(toAskJson)),
      ]);
      return fromGrowJson(request, answer);
    },
    async release(holds) {
      const answer = await call<ReleaseJson>("select release_reservations(?::json) as answer", [
        JSON.stringify(holds.map(toHoldJson)),
      ]);
      return {
        released: new Set(answer.released ?? []),
        leases: (answer.leases ?? []).map(fromLeaseJson),
      };
    },
    async readPeriods(keys) {
      const { rows } = await database.knex.raw(READ_PERIODS, [
        JSON.stringify(keys.map((key, i) => ({ i, ...toPeriodJson(key) }))),
      ]);
      return keys.map((key, i) => ({
        ...key,
        limit: rows[i].limit_amount ?? undefined,
        spent: rows[i].spent,
        leased: rows[i].leased,
      }));
    },
    sweep: (maxLeases) => call("select sweep_leases(?) as answer", [String(maxLeases)]),
  };
}

const READ_PERIODS = `
  select b.limit_amount, coalesce(p.spent, 0) as spent, coalesce(p.leased, 0) as leased
  from json_to_recordset(?::json) as k (i integer, budget_id text, period_start timestamptz)
  left join budget_periods p on p.budget_id = k.budget_id and p.period_start = k.period_start
  left join budgets b on b.budget_id = k.budget_id
  order by k.i`;

/** A lease as the database's functions tell it; bigint as decimal text. */
export interface LeaseJson {
  readonly lease_id: string;
  readonly amount: string;
  readonly version: string;
}

interface GrowJson {
  readonly now: string;
  readonly admitted: readonly number[];
  readonly periods: readonly (LeaseJson & {
    readonly expire_time: string;
    readonly limit: string | null;
    readonly spent: string;
    readonly leased: string;
  })[];
}

interface ReleaseJson {
  readonly released: readonly string[] | null;
  readonly leases: readonly LeaseJson[] | null;
}

/** Reads a lease. */
export function fromLeaseJson(lease: LeaseJson): LeaseAnswer {
  return {
    leaseId: BigInt(lease.lease_id),
    amount: BigInt(lease.amount),
    version: BigInt(lease.version),
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

function toPeriodJson({ budgetId, periodStartMs }: PeriodKey) {
  return { budget_id: budgetId, period_start: new Date(periodStartMs).toISOString() };
}

function toWantedJson(period: GrowRequest["periods"][number], index: number) {
  return {
    i: index + 1,
    ...toPeriodJson(period),
    expire_time: new Date(period.expireTimeMs).toISOString(),
    extra: period.extra.toString(),
  };
}

function toAskJson(asks: GrowRequest["callers"][number], caller: number) {
  return asks.map((ask) => ({ c: caller, i: ask.period + 1, amount: ask.amount.toString() }));
}

function fromGrowJson(request: GrowRequest, answer: GrowJson): GrowAnswer {
  const admitted = new Set(answer.admitted);
  return {
    nowMs: Date.parse(answer.now),
    // A caller that asked for nothing had all it needs set aside.
    admitted: request.callers.map((asks, index) => asks.length === 0 || admitted.has(index)),
    periods: answer.periods.map((period, index) => ({
      budgetId: request.periods[index]!.budgetId,
      periodStartMs: request.periods[index]!.periodStartMs,
      ...fromLeaseJson(period),
      expireTimeMs: Date.parse(period.expire_time),
      limit: period.limit === null ? undefined : BigInt(period.limit),
      spent: BigInt(period.spent),
      leased: BigInt(period.leased),
    })),
  };
}
