import type { Database } from "../database/database.js";
import { withRetry } from "../database/retry.js";
import { fromRecordRow, RECORD_COLUMNS, type RecordRow } from "./record-row.js";
import { formatMicroseconds } from "./time.js";
import type { UsageRecord } from "./usage-record.js";

/** An unfinished record, as far as it is needed to find the stale ones. */
export interface ActiveRow {
  readonly requestId: string;
  readonly providerEndpointId: string;
  /** When the gateway last told of it. */
  readonly updateTimeUs: number;
}

/** The unfinished records in PostgreSQL. */
export interface ActiveStore {
  /**
   * Records without activity since before a moment, the longest ago first.
   *
   * @param after - the last row of the page before
   */
  readIdle(beforeUs: number, limit: number, after?: ActiveRow): Promise<ActiveRow[]>;
  /** Unfinished records, newest first. `userId` "": everybody's. */
  readActive(userId: string, limit: number): Promise<UsageRecord[]>;
  /** Versions of unfinished records by request id, those that last changed first. */
  readActiveVersions(limit: number): Promise<ReadonlyMap<string, bigint>>;
  /**
   * Works while no other replica does; not at all when another one is at it.
   *
   * @returns whether it worked
   */
  alone(work: () => Promise<void>): Promise<boolean>;
}

/** Makes the store. */
export function createActiveStore(database: Database): ActiveStore {
  const { knex } = database;
  return {
    async readIdle(beforeUs, limit, after) {
      const bindings = [
        formatMicroseconds(beforeUs),
        formatMicroseconds(after?.updateTimeUs ?? 0),
        after?.requestId ?? "",
        limit,
      ];
      const { rows } = await withRetry(() => knex.raw(READ_IDLE, bindings));
      return (rows as IdleJson[]).map((row) => ({
        requestId: row.request_id,
        providerEndpointId: row.provider_endpoint_id,
        updateTimeUs: Number(row.updated_us),
      }));
    },
    async readActive(userId, limit) {
      const bindings = userId === "" ? [limit] : [userId, limit];
      const sql = userId === "" ? READ_ACTIVE : READ_ACTIVE_OF_USER;
      const { rows } = await withRetry(() => knex.raw(sql, bindings));
      return (rows as RecordRow[]).map(fromRecordRow);
    },
    async readActiveVersions(limit) {
      const { rows } = await withRetry(() => knex.raw(READ_VERSIONS, [limit]));
      const versions = rows as { request_id: string; version: bigint }[];
      return new Map(versions.map((row) => [row.request_id, row.version]));
    },
    alone: (work) =>
      database.transaction(
        async (trx) => {
          const { rows } = await trx.raw(TRY_LOCK);
          if (!rows[0].locked) return false;
          await work();
          return true;
        },
        { maxAttempts: 1 },
      ),
  };
}

interface IdleJson {
  readonly request_id: string;
  readonly provider_endpoint_id: string;
  readonly updated_us: string;
}

/** Times leave as microseconds: a Date would cut them to milliseconds. */
const READ_IDLE = `
  select request_id, provider_endpoint_id,
    (extract(epoch from updated_time) * 1000000)::bigint::text as updated_us
  from usage_records
  where status in ('PENDING', 'STREAMING') and updated_time < ?
    and (updated_time, request_id) > (?, ?)
  order by updated_time, request_id limit ?`;

const readActive = (condition: string) => `
  select ${RECORD_COLUMNS} from usage_records r
  where status in ('PENDING', 'STREAMING') ${condition}
  order by created_time desc, request_id desc limit ?`;

const READ_ACTIVE = readActive("");
const READ_ACTIVE_OF_USER = readActive("and user_id = ?");

const READ_VERSIONS = `
  select request_id, version from usage_records
  where status in ('PENDING', 'STREAMING') order by updated_time desc limit ?`;

/** Ends with the transaction, and so with a replica that is killed. */
const TRY_LOCK = "select pg_try_advisory_xact_lock(hashtext('tally stale requests')) as locked";
