import type { Database } from "../database/database.js";
import { isUnavailable } from "../database/errors.js";
import { withRetry } from "../database/retry.js";
import { databaseUnavailable } from "../errors.js";
import type { PeriodFigures } from "./figures.js";
import type { LeaseTending, PeriodKey } from "./lease.js";
import {
  fromGrowJson,
  fromLeaseJson,
  fromTendJson,
  type GrowJson,
  type MoveJson,
  type ReleaseJson,
  type TendJson,
  toGrowJson,
  toHoldJson,
  toPeriodJson,
  toTendJson,
} from "./ledger-json.js";
import type {
  GrowAnswer,
  GrowRequest,
  ReleaseAnswer,
  ReservationHold,
  TendAnswer,
} from "./ledger-messages.js";

/**
 * What the ledger needs of PostgreSQL. Every step is one round trip and one transaction, and throws
 * DomainError DATABASE_UNAVAILABLE when the database is away; whether it was done is unknown then.
 */
export interface LedgerStore {
  /** The database's clock, milliseconds since 1970. */
  readClock(): Promise<number>;
  grow(request: GrowRequest): Promise<GrowAnswer>;
  release(holds: readonly ReservationHold[]): Promise<ReleaseAnswer>;
  /**
   * Ends a reservation of another replica and grants its successor to this one, or neither. ENDED:
   * there was nothing to move. Asking again for the same successor changes nothing.
   *
   * @param successor - uid
   */
  move(
    holds: readonly ReservationHold[],
    successor: string,
    request: GrowRequest,
  ): Promise<GrowAnswer | "REFUSED" | "ENDED">;
  /**
   * Gives back, renews, ends expired reservations, reads figures.
   *
   * @param number - grows with every call of the replica
   */
  tend(number: bigint, tendings: readonly LeaseTending[]): Promise<TendAnswer>;
  /** In the order of the keys; a period without a row has spent nothing. */
  readPeriods(keys: readonly PeriodKey[]): Promise<PeriodFigures[]>;
  /** Tells every replica of settled reservations. */
  notifySettled(payloads: readonly string[]): Promise<void>;
  /** Returns what expired leases hold to their budgets; how many leases went. */
  sweep(maxLeases: number): Promise<number>;
}

/** The store over the functions of migration 0006. */
export function createLedgerStore(database: Database, replicaId: string): LedgerStore {
  async function ask(sql: string, bindings: readonly (string | readonly string[])[] = []) {
    try {
      return (await withRetry(() => database.knex.raw(sql, bindings as string[]))).rows;
    } catch (error) {
      throw isUnavailable(error) ? databaseUnavailable(error) : error;
    }
  }
  const call = async <T>(sql: string, bindings: readonly string[]): Promise<T> =>
    (await ask(sql, bindings))[0].answer;
  const toHoldsJson = (holds: readonly ReservationHold[]) => JSON.stringify(holds.map(toHoldJson));

  return {
    async readClock() {
      const rows = await ask("select clock_timestamp() as now");
      return (rows[0].now as Date).getTime();
    },
    async grow(request) {
      const { wanted, asks } = toGrowJson(request);
      const sql = "select grow_leases(?, ?::json, ?::json) as answer";
      return fromGrowJson(request, await call<GrowJson>(sql, [replicaId, wanted, asks]));
    },
    async release(holds) {
      const sql = "select release_reservations(?::json) as answer";
      const { released, leases } = await call<ReleaseJson>(sql, [toHoldsJson(holds)]);
      return { released: new Set(released ?? []), leases: (leases ?? []).map(fromLeaseJson) };
    },
    async move(holds, successor, request) {
      const { wanted, asks } = toGrowJson(request);
      const sql = "select move_reservation(?, ?::json, ?, ?::json, ?::json) as answer";
      const bindings = [replicaId, toHoldsJson(holds), successor, wanted, asks];
      const { outcome, answer } = await call<MoveJson>(sql, bindings);
      return outcome === "MOVED" ? fromGrowJson(request, answer!) : outcome;
    },
    async tend(number, tendings) {
      const sql = "select tend_leases(?, ?, ?::json) as answer";
      const bindings = [replicaId, number.toString(), toTendJson(tendings)];
      return fromTendJson(await call<TendJson>(sql, bindings));
    },
    async readPeriods(keys) {
      const json = JSON.stringify(keys.map((key, i) => ({ i, ...toPeriodJson(key) })));
      const rows = await ask(READ_PERIODS, [json]);
      return keys.map((key, i) => ({
        ...key,
        limit: rows[i].limit_amount ?? undefined,
        spent: rows[i].spent,
        leased: rows[i].leased,
      }));
    },
    async notifySettled(payloads) {
      await ask("select pg_notify('tally_settled', p) from unnest(?::text[]) p", [payloads]);
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
