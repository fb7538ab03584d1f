import type { Client } from "pg";
import { copyInto } from "../../database/copy.js";
import type { Database } from "../../database/database.js";
import { toChargeRow, toRecordJson } from "../record-row.js";
import { formatMicroseconds } from "../time.js";
import type { BudgetCharge, UsageRecord } from "../usage-record.js";
import { toCopyLine } from "./copy-line.js";

/** Rows of one transaction. */
export interface BulkChunk {
  /** Of usage_keys, in COPY's text format. */
  readonly keys: string;
  /** Names of the columns of usage_records. */
  readonly columns: readonly string[];
  /** Of usage_records, in COPY's text format. */
  readonly records: string;
  /** What the records charged, added up by period. */
  readonly charges: readonly BudgetCharge[];
}

/** Writes finished records in bulk. */
export interface BulkStore {
  /** Whether there are any records, and how many servers have the database open. */
  readOccupancy(): Promise<{ readonly hasRecords: boolean; readonly servers: number }>;
  /** Writes a chunk, in one transaction, with everything but its rollups. */
  writeChunk(chunk: BulkChunk): Promise<void>;
  /** Lets the planner know what there is now, and indexes of ranges. */
  vacuum(): Promise<void>;
}

/** The rows that one record is. */
export interface BulkRows {
  readonly key: string;
  readonly columns: readonly string[];
  readonly record: string;
}

/** Makes the rows of a record. */
export function toBulkRows(record: UsageRecord): BulkRows {
  const row = toRecordJson(record);
  return {
    key: toCopyLine([record.requestId, formatMicroseconds(record.createTimeUs)]),
    columns: Object.keys(row),
    record: toCopyLine(Object.values(row)),
  };
}

/** Makes the store. */
export function createBulkStore({ knex }: Pick<Database, "knex">): BulkStore {
  return {
    async readOccupancy() {
      const { rows } = await knex.raw(OCCUPANCY);
      return { hasRecords: rows[0].has_records, servers: Number(rows[0].servers) };
    },
    async writeChunk(chunk) {
      const client: Client = await knex.client.acquireConnection();
      try {
        await client.query("begin");
        await copyInto(client, COPY_KEYS, Buffer.from(chunk.keys));
        const copyRecords = `copy usage_records (${chunk.columns.join(", ")}) from stdin`;
        await copyInto(client, copyRecords, Buffer.from(chunk.records));
        // Periods are shared by chunks that are under way together, so they come last.
        await client.query(POST_CHARGES, [JSON.stringify(chunk.charges.map(toChargeRow))]);
        await client.query("commit");
      } catch (error) {
        await client.query("rollback").catch(() => undefined);
        throw error;
      } finally {
        await knex.client.releaseConnection(client);
      }
    },
    async vacuum() {
      for (const table of ["usage_records", "usage_keys", "usage_rollups", "budget_periods"]) {
        await knex.raw(`vacuum (analyze) ${table}`);
      }
    },
  };
}

/** A server is known by the connection on which it follows the catalog. */
const OCCUPANCY = `
  select (exists (select from usage_keys) or exists (select from usage_records)
      or exists (select from usage_rollups)) as has_records,
    (select count(*) from pg_stat_activity
      where datname = current_database() and application_name = 'tally catalog') as servers`;

const COPY_KEYS = "copy usage_keys (request_id, created_time) from stdin";

const POST_CHARGES = `
  select post_charges(
    array(select row(c.budget_id, c.period_start, c.amount)::budget_charge
      from json_to_recordset($1::json) as c (
        budget_id text, period_start timestamptz, amount bigint)),
    null)`;
