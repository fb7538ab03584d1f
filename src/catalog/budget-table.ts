import type { CatalogTable } from "./catalog-table.js";
import { fromTimeColumn, toTimeColumn } from "./column-values.js";
import type {
  Budget,
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  BudgetWindow,
  BudgetWindowKind,
  OnUnavailable,
} from "./types.js";

interface BudgetRow {
  readonly budget_id: string;
  readonly scope: BudgetScope;
  readonly subject: string;
  readonly measure: BudgetMeasure;
  readonly limit_amount: bigint | null;
  readonly window_kind: BudgetWindowKind;
  readonly window_time_zone: string;
  readonly window_days: number | null;
  readonly window_anchor: Date | null;
  readonly enforcement: BudgetEnforcement;
  readonly alert_percents: readonly number[];
  readonly expire_time: Date | null;
  readonly on_unavailable: OnUnavailable;
  readonly active: boolean;
}

/** How budgets are stored. */
export const budgetTable: CatalogTable<Budget, BudgetRow> = {
  name: "budgets",
  key: "budget_id",
  columns: {
    budget_id: "text",
    scope: "text",
    subject: "text",
    measure: "text",
    limit_amount: "bigint",
    window_kind: "text",
    window_time_zone: "text",
    window_days: "integer",
    window_anchor: "timestamptz",
    enforcement: "text",
    alert_percents: "integer[]",
    expire_time: "timestamptz",
    on_unavailable: "text",
    active: "boolean",
  },
  toRow: (budget) => ({
    budget_id: budget.budgetId,
    scope: budget.scope,
    subject: budget.subject,
    measure: budget.measure,
    limit_amount: budget.limit?.toString() ?? null,
    window_kind: budget.window.kind,
    window_time_zone: budget.window.timeZone,
    window_days: budget.window.days ?? null,
    window_anchor: toTimeColumn(budget.window.anchorMs ?? null),
    enforcement: budget.enforcement,
    alert_percents: budget.alertPercents,
    expire_time: toTimeColumn(budget.expireTimeMs),
    on_unavailable: budget.onUnavailable,
    active: budget.active,
  }),
  fromRow: (row) => ({
    budgetId: row.budget_id,
    scope: row.scope,
    subject: row.subject,
    measure: row.measure,
    limit: row.limit_amount,
    window: windowOf(row),
    enforcement: row.enforcement,
    alertPercents: row.alert_percents,
    expireTimeMs: fromTimeColumn(row.expire_time),
    onUnavailable: row.on_unavailable,
    active: row.active,
  }),
};

function windowOf(row: BudgetRow): BudgetWindow {
  return {
    kind: row.window_kind,
    timeZone: row.window_time_zone,
    ...(row.window_days !== null && { days: row.window_days }),
    ...(row.window_anchor !== null && { anchorMs: Number(row.window_anchor) }),
  };
}
