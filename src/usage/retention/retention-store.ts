import { type LockedConnection, tryAdvisoryLock } from "../../database/advisory-lock.js";
import type { Database } from "../../database/database.js";

/** Where a pass over rows in the order of their arrival has come to. */
export interface PassPosition {
  /** A timestamp as PostgreSQL writes it. */
  readonly time: string;
  readonly requestId: string;
}

/** Before every row. */
export const PASS_START: PassPosition = { time: "-infinity", requestId: "" };

/** What one batch did. */
export interface PurgedBatch {
  /** Rows that were removed, or of which a part was. */
  readonly purged: number;
  /** The last row that was looked at; undefined: there are no more. */
  readonly last: PassPosition | undefined;
}

/** Which rows a batch is taken from. */
export interface BatchRange {
  readonly cutoffMs: number;
  readonly after: PassPosition;
  /** Most rows of the batch. */
  readonly batchSize: number;
}

/** A partition of usage_records or usage_payloads. */
export interface UsagePartition {
  readonly name: string;
  readonly parent: "usage_records" | "usage_payloads";
  /** First moment after its month, milliseconds since 1970. */
  readonly endMs: number;
}

/** What became of a partition that was to be dropped. */
export type DropOutcome = "DROPPED" | "IN_USE" | "NOT_EMPTY";

/** What made a purge begin. */
export type PurgeTrigger = "SCHEDULE" | "CALL";

/** How much a purge removed. */
export interface PurgeCounts {
  records: number;
  bodies: number;
  headers: number;
  keys: number;
  partitions: number;
}

/** The one purge that is under way in the whole installation. Every step is one transaction. */
export interface PurgeSession {
  /** Milliseconds since a scheduled purge last began and came to its end; undefined: never. */
  sinceScheduledMs(): Promise<number | undefined>;
  /** Writes down that the purge has begun. @returns its number, and the database's clock */
  begin(trigger: PurgeTrigger): Promise<{ purgeId: string; nowMs: number }>;
  /** Writes down how far it has come. */
  note(purgeId: string, counts: PurgeCounts, isDone: boolean): Promise<void>;
  purgeRecords(range: BatchRange & { readonly keysCutoffMs: number }): Promise<PurgedBatch>;
  purgeBodies(range: BatchRange): Promise<PurgedBatch>;
  purgeHeaders(range: BatchRange): Promise<PurgedBatch>;
  /** @returns how many went */
  purgeKeys(cutoffMs: number, batchSize: number): Promise<number>;
  /** Oldest first. */
  listPartitions(): Promise<UsagePartition[]>;
  dropPartition(partition: UsagePartition, onlyEmpty: boolean): Promise<DropOutcome>;
  /** Lets another purge begin. */
  close(): Promise<void>;
}

/** Begins purges. */
export interface RetentionStore {
  /** @returns undefined while another purge is under way */
  open(): Promise<PurgeSession | undefined>;
}

/** Makes the store over the functions of migration 0009. */
export function createRetentionStore(database: Pick<Database, "knex">): RetentionStore {
  return {
    async open() {
      const connection = await tryAdvisoryLock(database, "tally purge");
      return connection && createSession(connection);
    },
  };
}

function createSession({ query, release }: LockedConnection): PurgeSession {
  return {
    close: release,
    async sinceScheduledMs() {
      const [row] = await query<{ since_ms: number | null }>(SINCE_SCHEDULED);
      return row?.since_ms ?? undefined;
    },
    async begin(trigger) {
      const [row] = await query<{ purge_id: bigint; start_time: Date }>(
        "insert into purges (trigger) values (?) returning purge_id, start_time",
        [trigger],
      );
      return { purgeId: row!.purge_id.toString(), nowMs: row!.start_time.getTime() };
    },
    async note(purgeId, { records, bodies, headers, keys, partitions }, isDone) {
      await query(
        `update purges set records = ?, bodies = ?, headers = ?, keys = ?, partitions = ?,
          end_time = case when ? then clock_timestamp() end
        where purge_id = ?`,
        [records, bodies, headers, keys, partitions, isDone, purgeId],
      );
    },
    async purgeRecords({ cutoffMs, keysCutoffMs, after, batchSize }) {
      return toBatch(
        await query(
          `select purged, last_time::text, last_id from purge_usage_records(?, ?, ?, ?, ?)`,
          [new Date(cutoffMs), new Date(keysCutoffMs), after.time, after.requestId, batchSize],
        ),
      );
    },
    purgeBodies: (range) => purgePart("purge_usage_bodies", range),
    purgeHeaders: (range) => purgePart("purge_usage_headers", range),
    async purgeKeys(cutoffMs, batchSize) {
      const bindings = [new Date(cutoffMs), batchSize];
      const [row] = await query<{ purged: number }>(
        "select purge_usage_keys(?, ?) as purged",
        bindings,
      );
      return row!.purged;
    },
    async listPartitions() {
      const rows = await query<{ name: string; parent: string; end_time: Date }>(LIST_PARTITIONS);
      return rows.map(({ name, parent, end_time }) => ({
        name,
        parent: parent as UsagePartition["parent"],
        endMs: end_time.getTime(),
      }));
    },
    async dropPartition({ name }, onlyEmpty) {
      const [row] = await query<{ outcome: DropOutcome }>(
        "select drop_usage_partition(?, ?) as outcome",
        [name, onlyEmpty],
      );
      return row!.outcome;
    },
  };

  async function purgePart(
    name: string,
    { cutoffMs, after, batchSize }: BatchRange,
  ): Promise<PurgedBatch> {
    return toBatch(
      await query(`select purged, last_time::text, last_id from ${name}(?, ?, ?, ?)`, [
        new Date(cutoffMs),
        after.time,
        after.requestId,
        batchSize,
      ]),
    );
  }
}

interface BatchRow {
  readonly purged: number;
  readonly last_time: string | null;
  readonly last_id: string | null;
}

function toBatch([row]: readonly BatchRow[]): PurgedBatch {
  if (row === undefined || row.last_time === null || row.last_id === null) {
    return { purged: row?.purged ?? 0, last: undefined };
  }
  return { purged: row.purged, last: { time: row.last_time, requestId: row.last_id } };
}

const SINCE_SCHEDULED = `
  select (extract(epoch from clock_timestamp() - max(start_time)) * 1000)::double precision
    as since_ms
  from purges where trigger = 'SCHEDULE' and end_time is not null`;

const LIST_PARTITIONS = `
  select c.relname as name, i.inhparent::regclass::text as parent,
    (to_date(substring(c.relname from '\\d{4}_\\d{2}$'), 'YYYY_MM') + interval '1 month')
      at time zone 'UTC' as end_time
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent in ('usage_records'::regclass, 'usage_payloads'::regclass)
    and c.relname ~ '^usage_(records|payloads)_\\d{4}_\\d{2}$'
  order by end_time, parent, name`;
