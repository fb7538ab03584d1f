import type { Database } from "../database/database.js";
import { withRetry } from "../database/retry.js";
import type { AlertFilter, AlertKind, BudgetAlert } from "./alert.js";
import type { BudgetMeasure, BudgetScope } from "./directory.js";
import type { UncheckedPasses } from "./unchecked-passes.js";

/** Alerts in PostgreSQL. Only what was published is read. */
export interface AlertStore {
  /** Numbers every alert that was committed; the highest id there is then, or 0. */
  publish(): Promise<bigint>;
  /** The last alerts with ids below `beforeId`, by falling id. */
  readBefore(
    filter: AlertFilter,
    options: { readonly beforeId: bigint | undefined; readonly limit: number },
  ): Promise<BudgetAlert[]>;
  /** The first alerts with ids above `afterId`, by rising id. */
  readAfter(
    filter: AlertFilter,
    options: { readonly afterId: bigint; readonly limit: number },
  ): Promise<BudgetAlert[]>;
  /** Fires an alert for each budget that requests passed unasked. */
  fireUnchecked(passes: readonly UncheckedPasses[]): Promise<void>;
  /** The id of the first alert that was fired at a time or later. */
  firstSince(timeMs: number): Promise<bigint | undefined>;
}

interface AlertRow {
  readonly alert_id: bigint;
  readonly budget_id: string;
  readonly period_start: Date;
  readonly kind: AlertKind;
  readonly threshold_percent: number | null;
  readonly scope: BudgetScope;
  readonly subject: string;
  readonly measure: BudgetMeasure;
  readonly limit_amount: bigint | null;
  readonly spent: bigint;
  readonly unchecked_requests: bigint;
  readonly fire_time: Date;
}

/** Makes the store over the table and the function of migration 0011. */
export function createAlertStore({ knex }: Pick<Database, "knex">): AlertStore {
  /** Rows that the filter lets through, in the order and from the id that the rest of it says. */
  async function select(
    filter: AlertFilter,
    page: { readonly above: boolean; readonly id: bigint | undefined; readonly limit: number },
  ): Promise<BudgetAlert[]> {
    const { conditions, bindings } = toSql(filter);
    if (page.id !== undefined) {
      conditions.push(`alert_id ${page.above ? ">" : "<"} ?::bigint`);
      bindings.push(page.id.toString());
    }
    const sql = `
      select * from budget_alerts where ${conditions.join(" and ")}
      order by alert_id ${page.above ? "asc" : "desc"} limit ?`;
    const { rows } = await withRetry(() => knex.raw(sql, [...bindings, String(page.limit)]));
    return (rows as AlertRow[]).map(fromRow);
  }

  return {
    async publish() {
      const { rows } = await withRetry(() => knex.raw("select publish_budget_alerts() as id"));
      return rows[0].id;
    },
    readBefore: (filter, { beforeId, limit }) =>
      select(filter, { above: false, id: beforeId, limit }),
    readAfter: (filter, { afterId, limit }) => select(filter, { above: true, id: afterId, limit }),
    async fireUnchecked(passes) {
      const json = passes.map(({ budgetId, periodStartMs, requests }) => ({
        budget_id: budgetId,
        period_start: new Date(periodStartMs).toISOString(),
        requests,
      }));
      await withRetry(() => knex.raw(FIRE_UNCHECKED, [JSON.stringify(json)]));
    },
    async firstSince(timeMs) {
      const sql = "select min(alert_id) as id from budget_alerts where fire_time >= ?";
      const { rows } = await withRetry(() => knex.raw(sql, [new Date(timeMs).toISOString()]));
      return rows[0].id ?? undefined;
    },
  };
}

const FIRE_UNCHECKED = `
  with fired as (
    insert into budget_alerts (budget_id, period_start, kind, scope, subject, measure, limit_amount,
      spent, unchecked_requests)
    select b.budget_id, u.period_start, 'UNCHECKED', b.scope, b.subject, b.measure, b.limit_amount,
      coalesce(p.spent, 0), u.requests
    from json_to_recordset(?::json) as u (
      budget_id text, period_start timestamptz, requests bigint)
    join budgets b on b.budget_id = u.budget_id
    left join budget_periods p on p.budget_id = u.budget_id and p.period_start = u.period_start
    returning 1
  )
  select pg_notify('tally_budget_alerts', '') from (select 1 from fired limit 1) f`;

function toSql({ budgetId, scope, subject, startMs, endMs }: AlertFilter) {
  const conditions = ["alert_id is not null"];
  const bindings: string[] = [];
  function narrow(condition: string, value: string | undefined): void {
    if (value === undefined) return;
    conditions.push(condition);
    bindings.push(value);
  }
  narrow("budget_id = ?", budgetId);
  narrow("scope = ?", scope);
  narrow("subject = ?", subject);
  narrow("fire_time >= ?", startMs === undefined ? undefined : new Date(startMs).toISOString());
  narrow("fire_time < ?", endMs === undefined ? undefined : new Date(endMs).toISOString());
  return { conditions, bindings };
}

function fromRow(row: AlertRow): BudgetAlert {
  return {
    alertId: row.alert_id,
    kind: row.kind,
    budgetId: row.budget_id,
    scope: row.scope,
    subject: row.subject,
    measure: row.measure,
    thresholdPercent: row.threshold_percent,
    limit: row.limit_amount,
    spent: row.spent,
    uncheckedRequests: row.unchecked_requests,
    periodStartMs: row.period_start.getTime(),
    fireTimeMs: row.fire_time.getTime(),
  };
}
