import type { Database } from "../database/database.js";
import { withRetry } from "../database/retry.js";
import { narrowJson } from "./narrow-json.js";
import {
  fromRecordRow,
  RECORD_COLUMNS,
  type RecordRow,
  toChargeRow,
  toRecordJson,
} from "./record-row.js";
import { formatMicroseconds } from "./time.js";
import type { UsagePayload, UsageRecord } from "./usage-record.js";

/** A hold of a reservation that a record settles, as the posting functions take it. */
export interface HoldJson {
  readonly reservation_id: string;
  readonly expire_time: string;
  readonly lease_id: string;
  readonly budget_id: string;
  readonly period_start: string;
  readonly held: string;
}

/** One record to write, with what is written beside it. */
export interface UsageWrite {
  readonly record: UsageRecord;
  readonly holds: readonly HoldJson[];
  readonly payload: UsagePayload | undefined;
}

/** A record to put in the place of another. */
export interface UsageReplacement extends UsageWrite {
  /** Version of the row that the decision was made on. */
  readonly expectedVersion: bigint;
}

/** A budget's period after a posting; bigint as decimal text. */
export interface PostedPeriod {
  readonly budget_id: string;
  readonly period_start: string;
  readonly spent: string;
  readonly leased: string;
}

/** A lease after a posting; bigint as decimal text. */
export interface PostedLease {
  readonly lease_id: string;
  readonly amount: string;
  readonly version: string;
}

/** What a posting did. */
export interface PostAnswer {
  /** Ids whose record was there already, or had moved on: nothing was written for them. */
  readonly existing: readonly string[];
  readonly periods: readonly PostedPeriod[];
  readonly leases: readonly PostedLease[];
}

/** Usage records in PostgreSQL. Every call is one round trip and one transaction. */
export interface UsageStore {
  /** Writes records with ids that are new, each id at most once. */
  record(writes: readonly UsageWrite[], lane: number): Promise<PostAnswer>;
  /** Replaces records whose version is the expected one, each id at most once. */
  replace(replacements: readonly UsageReplacement[], lane: number): Promise<PostAnswer>;
  /** The records with these ids, in no order; unknown ids are left out. */
  read(requestIds: readonly string[]): Promise<UsageRecord[]>;
  /**
   * What requests last said whose record retention has removed: fingerprints by id. Null: somebody
   * else has removed the record. Ids that are not known at all are left out.
   */
  readPurged(requestIds: readonly string[]): Promise<ReadonlyMap<string, string | null>>;
  /** Headers and bodies as they are stored, or undefined. */
  readPayload(requestId: string): Promise<UsagePayload | undefined>;
  /** Makes the month's partitions, if they are missing. `month` is its first day, "2026-11-01". */
  ensurePartition(month: string): Promise<void>;
  /** First days of the months that have partitions. */
  listPartitions(): Promise<string[]>;
}

/** Makes the store over the functions of migration 0005. */
export function createUsageStore(database: Database): UsageStore {
  const { knex } = database;
  async function post(sql: string, bindings: readonly (string | number | null)[]) {
    const { rows } = await withRetry(() => knex.raw(sql, bindings as string[]));
    return toPostAnswer(rows[0].answer as PostJson);
  }
  return {
    record: (writes, lane) =>
      post("select record_usage(?::json, ?::json, ?::json, ?::json, ?::smallint) as answer", [
        recordsJson(writes),
        chargesJson(writes),
        holdsJson(writes),
        payloadsJson(writes),
        lane,
      ]),
    replace: (replacements, lane) =>
      post(
        "select replace_usage(?::json, ?::json, ?::json, ?::json, ?::json, ?::smallint) as answer",
        [...replacedJson(replacements), holdsJson(replacements), payloadsJson(replacements), lane],
      ),
    async read(requestIds) {
      const { rows } = await withRetry(() => knex.raw(READ_RECORDS, [requestIds as string[]]));
      return (rows as RecordRow[]).map(fromRecordRow);
    },
    async readPurged(requestIds) {
      const { rows } = await withRetry(() => knex.raw(READ_PURGED, [requestIds as string[]]));
      const purged = rows as { request_id: string; fingerprint: string | null }[];
      return new Map(purged.map(({ request_id, fingerprint }) => [request_id, fingerprint]));
    },
    async readPayload(requestId) {
      const { rows } = await withRetry(() => knex.raw(READ_PAYLOAD, [requestId]));
      return rows[0] === undefined ? undefined : fromPayloadRow(rows[0] as PayloadRow);
    },
    async ensurePartition(month) {
      await withRetry(() => knex.raw("select ensure_usage_partition(?::date)", [month]));
    },
    async listPartitions() {
      const { rows } = await withRetry(() => knex.raw(LIST_PARTITIONS));
      return (rows as { month: string }[]).map(({ month }) => month);
    },
  };
}

const READ_RECORDS = `
  select ${RECORD_COLUMNS}
  from usage_keys k
  join usage_records r on r.created_time = k.created_time and r.request_id = k.request_id
  where k.request_id = any(?)`;

const READ_PURGED = "select request_id, fingerprint from usage_keys where request_id = any(?)";

const READ_PAYLOAD = `
  select p.* from usage_keys k
  join usage_payloads p on p.created_time = k.created_time and p.request_id = k.request_id
  where k.request_id = ?`;

const LIST_PARTITIONS = `
  select replace(substring(c.relname from '\\d{4}_\\d{2}$'), '_', '-') || '-01' as month
  from pg_inherits i join pg_class c on c.oid = i.inhrelid
  where i.inhparent = 'usage_records'::regclass`;

interface PostJson {
  readonly existing: readonly string[] | null;
  readonly posted: {
    readonly periods: readonly PostedPeriod[] | null;
    readonly leases: readonly PostedLease[] | null;
  } | null;
}

function toPostAnswer(answer: PostJson): PostAnswer {
  return {
    existing: answer.existing ?? [],
    periods: answer.posted?.periods ?? [],
    leases: answer.posted?.leases ?? [],
  };
}

/** The records, the versions that they replace, and their charges, as `replace_usage` takes them. */
export function replacedJson(
  replacements: readonly UsageReplacement[],
): [records: string, expectations: string, charges: string | null] {
  return [recordsJson(replacements), expectationsJson(replacements), chargesJson(replacements)];
}

function recordsJson(writes: readonly UsageWrite[]): string {
  return `[${writes.map(({ record }) => narrowJson(toRecordJson(record))).join(",")}]`;
}

function expectationsJson(replacements: readonly UsageReplacement[]): string {
  return JSON.stringify(
    replacements.map(({ record, expectedVersion }) => ({
      request_id: record.requestId,
      version: expectedVersion.toString(),
    })),
  );
}

/** Null instead of an empty list spares the database the steps that would have nothing to do. */
function chargesJson(writes: readonly UsageWrite[]): string | null {
  const charges = writes.flatMap(({ record }) =>
    record.charges.map((charge) => ({ request_id: record.requestId, ...toChargeRow(charge) })),
  );
  return charges.length === 0 ? null : JSON.stringify(charges);
}

function holdsJson(writes: readonly UsageWrite[]): string | null {
  const holds = writes.flatMap(({ record, holds: own }) =>
    own.map((hold) => ({ request_id: record.requestId, ...hold })),
  );
  return holds.length === 0 ? null : JSON.stringify(holds);
}

function payloadsJson(writes: readonly UsageWrite[]): string | null {
  const payloads = writes.flatMap(({ record, payload }) =>
    payload === undefined
      ? []
      : [
          {
            request_id: record.requestId,
            created_time: formatMicroseconds(record.createTimeUs),
            request_headers: payload.requestHeaders,
            provider_request_headers: payload.providerRequestHeaders,
            response_headers: payload.responseHeaders,
            request_body: payload.requestBody,
            response_body: payload.responseBody,
          },
        ],
  );
  return payloads.length === 0 ? null : JSON.stringify(payloads);
}

interface PayloadRow {
  readonly request_headers: Record<string, string> | null;
  readonly provider_request_headers: Record<string, string> | null;
  readonly response_headers: Record<string, string> | null;
  readonly request_body: UsagePayload["requestBody"];
  readonly response_body: UsagePayload["responseBody"];
}

function fromPayloadRow(row: PayloadRow): UsagePayload {
  return {
    ...(row.request_headers && { requestHeaders: row.request_headers }),
    ...(row.provider_request_headers && { providerRequestHeaders: row.provider_request_headers }),
    ...(row.response_headers && { responseHeaders: row.response_headers }),
    ...(row.request_body != null && { requestBody: row.request_body }),
    ...(row.response_body != null && { responseBody: row.response_body }),
  };
}
