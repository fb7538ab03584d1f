import type { Knex } from "knex";
import type { AuditAction, AuditRecord, ChangeOrigin } from "./audit.js";
import type { JsonObject } from "./entry-json.js";

/** A change as the log has it. */
export interface AuditRow extends AuditRecord, ChangeOrigin {
  /** Counts up. */
  readonly auditId: bigint;
  /** Microseconds since 1970. */
  readonly eventTimeUs: bigint;
}

/** Which changes to read; what is unset does not matter. */
export interface AuditQuery {
  readonly resourceType?: string;
  readonly resourceId?: string;
  readonly actor?: string;
  /** ISO text; at this time or later. */
  readonly startTime?: string;
  /** ISO text; before this time. */
  readonly endTime?: string;
}

/** Writes changes down, in one statement. */
export async function writeAudit(
  trx: Knex.Transaction,
  { actor, method, requestId }: ChangeOrigin,
  records: readonly AuditRecord[],
): Promise<void> {
  if (records.length === 0) return;
  const rows = records.map((record, position) => ({
    position,
    action: record.action,
    resource_type: record.resourceType,
    resource_id: record.resourceId,
    before: record.before,
    after: record.after,
  }));
  await trx.raw(
    `insert into audit_log
       (event_time, actor, method, request_id, action, resource_type, resource_id, before, after)
     select statement_timestamp(), ?, ?, ?, action, resource_type, resource_id, before, after
     from json_to_recordset(?::json) as w (position integer, action text, resource_type text,
       resource_id text, before jsonb, after jsonb)
     order by position`,
    [actor, method, requestId, JSON.stringify(rows)],
  );
}

/** The condition that each part of a query stands for. */
const CONDITIONS = {
  resourceType: "resource_type = ?",
  resourceId: "resource_id = ?",
  actor: "actor = ?",
  startTime: "event_time >= ?",
  endTime: "event_time < ?",
} as const satisfies Record<keyof AuditQuery, string>;

interface AuditColumns {
  readonly audit_id: bigint;
  readonly event_time_us: bigint;
  readonly actor: string;
  readonly method: string;
  readonly request_id: string;
  readonly action: AuditAction;
  readonly resource_type: string;
  readonly resource_id: string;
  readonly before: JsonObject | null;
  readonly after: JsonObject | null;
}

/**
 * Reads changes, the newest first.
 *
 * @param before - only those older than the one with this id, in decimal
 */
export async function readAudit(
  knex: Knex,
  query: AuditQuery,
  page: { readonly before: string | undefined; readonly limit: number },
): Promise<AuditRow[]> {
  const given = (Object.keys(CONDITIONS) as (keyof AuditQuery)[]).filter(
    (name) => query[name] !== undefined,
  );
  const conditions: string[] = given.map((name) => CONDITIONS[name]);
  const bindings = given.map((name) => query[name] ?? null);
  if (page.before !== undefined) {
    conditions.push("audit_id < ?::bigint");
    bindings.push(page.before);
  }
  const where = conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`;
  const { rows } = await knex.raw<{ rows: AuditColumns[] }>(
    `select audit_id, (extract(epoch from event_time) * 1000000)::bigint as event_time_us, actor,
       method, request_id, action, resource_type, resource_id, before, after
     from audit_log ${where} order by audit_id desc limit ${page.limit}`,
    bindings,
  );
  return rows.map(fromRow);
}

function fromRow(row: AuditColumns): AuditRow {
  return {
    auditId: row.audit_id,
    eventTimeUs: row.event_time_us,
    actor: row.actor,
    method: row.method,
    requestId: row.request_id,
    action: row.action,
    resourceType: row.resource_type,
    resourceId: row.resource_id,
    before: row.before,
    after: row.after,
  };
}
