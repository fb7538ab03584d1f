import { type LockedConnection, tryAdvisoryLock } from "../../database/advisory-lock.js";
import type { Database } from "../../database/database.js";
import { withRetry } from "../../database/retry.js";
import { binned } from "../checks/rollup-figures.js";
import { correctionStatement } from "./correction.js";
import { dueInDay, dueInMonth, type Stretch } from "./due-rollups.js";

/** What one step looked at and set right. */
export interface Correction {
  /** Finished records, purged ones included; 0 for a month, which is added up from its days. */
  readonly records: bigint;
  /** Sums, over all slots, in which any figure was wrong. */
  readonly corrected: bigint;
}

/** The one rebuild that is under way in the whole installation. */
export interface RebuildSession {
  /** The UTC days in which there are records or rollups, "2026-05-17", in their order. */
  listDays(): Promise<string[]>;
  /** Sets the rollups of days and shorter buckets right. */
  correctDay(day: Stretch): Promise<Correction>;
  /** Sets the rollups of a month right, by those of its days. */
  correctMonth(month: Stretch): Promise<Correction>;
  /** Lets another rebuild begin. */
  close(): Promise<void>;
}

/** Sets rollups right. Every step is one transaction. */
export interface RebuildStore {
  /** @returns undefined while another rebuild is under way */
  open(): Promise<RebuildSession | undefined>;
}

/** Makes the store. */
export function createRebuildStore(database: Pick<Database, "knex">): RebuildStore {
  return {
    async open() {
      const connection = await tryAdvisoryLock(database, "tally rollup rebuild");
      if (connection === undefined) return undefined;
      try {
        await connection.query(MORE_MEMORY);
      } catch (error) {
        await connection.release();
        throw error;
      }
      return createSession(connection);
    },
  };
}

/** Sums of many rows want memory, and compiling the statements would cost what it gains. */
const MORE_MEMORY = `select set_config('work_mem', '64MB', false), set_config('jit', 'off', false),
  set_config('statement_timeout', '0', false)`;
const RESET = "reset work_mem; reset jit; reset statement_timeout";

function createSession({ query, release }: LockedConnection): RebuildSession {
  async function run(statement: string): Promise<Correction> {
    const [row] = await withRetry(() => query<Correction>(statement));
    return row!;
  }
  return {
    listDays: async () => (await query<{ day: string }>(LIST_DAYS)).map(({ day }) => day),
    correctDay: (day) => run(correctionStatement(dueInDay(day), day)),
    correctMonth: (month) => run(correctionStatement(dueInMonth(month), month)),
    async close() {
      await query(RESET).catch(() => undefined);
      await release();
    },
  };
}

const dayOf = (time: string) => binned(time, "1 day");

/** Days of records are found one after the other by their index, rather than by reading all. */
const LIST_DAYS = `
  with recursive record_days as (
    select ${dayOf("min(created_time)")} as day from usage_records
    union all
    select ${dayOf(`(select min(created_time) from usage_records
      where created_time >= d.day + interval '24 hours')`)}
    from record_days d where d.day is not null
  )
  select to_char(day at time zone 'UTC', 'YYYY-MM-DD') as day
  from (
    select day from record_days where day is not null
    union select ${dayOf("bucket_time")} from usage_rollups
    union select ${dayOf("bucket_time")} from tally_purged.usage_rollups
  ) days
  order by 1`;
