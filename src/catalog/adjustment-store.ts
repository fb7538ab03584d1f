import type { Knex } from "knex";

/** What a request did to a budget by hand. */
export interface Adjustment {
  readonly budgetId: string;
  /** Milliseconds since 1970. */
  readonly periodStartMs: number;
  /** RESET: added to what the period has spent. TOP_UP: added to the budget's limit. */
  readonly kind: "RESET" | "TOP_UP";
  readonly amount: bigint;
  readonly requestId: string;
  readonly actor: string;
}

/** Where a period stands. */
export interface PeriodState {
  readonly spent: bigint;
  /** Leased to replicas. */
  readonly held: bigint;
}

interface AdjustmentRow {
  readonly budget_id: string;
  readonly period_start: Date;
  readonly kind: Adjustment["kind"];
  readonly amount: bigint;
  readonly request_id: string;
  readonly actor: string;
}

/** What a request did, if it was here before. */
export async function findAdjustment(
  trx: Knex.Transaction,
  requestId: string,
): Promise<Adjustment | undefined> {
  const { rows } = await trx.raw<{ rows: AdjustmentRow[] }>(
    `select budget_id, period_start, kind, amount, request_id, actor
     from budget_adjustments where request_id = ?`,
    [requestId],
  );
  const [row] = rows;
  return (
    row && {
      budgetId: row.budget_id,
      periodStartMs: Number(row.period_start),
      kind: row.kind,
      amount: row.amount,
      requestId: row.request_id,
      actor: row.actor,
    }
  );
}

/** Writes a top-up down; the budget itself is changed as an entry. */
export async function insertTopUp(
  trx: Knex.Transaction,
  topUp: Omit<Adjustment, "kind">,
): Promise<void> {
  await trx.raw(
    `insert into budget_adjustments (budget_id, period_start, kind, amount, request_id, actor)
     values (?, ?, 'TOP_UP', ?, ?, ?)`,
    [
      topUp.budgetId,
      new Date(topUp.periodStartMs).toISOString(),
      topUp.amount.toString(),
      topUp.requestId,
      topUp.actor,
    ],
  );
}

/** Sets to 0 what a period has spent; see the function in migration 0007. */
export async function resetPeriod(
  trx: Knex.Transaction,
  reset: Omit<Adjustment, "kind" | "amount">,
): Promise<{ readonly forgiven: bigint; readonly held: bigint }> {
  const { rows } = await trx.raw<{ rows: { forgiven: bigint; held: bigint }[] }>(
    "select forgiven, held from reset_budget_period(?, ?, ?, ?)",
    [reset.budgetId, new Date(reset.periodStartMs).toISOString(), reset.requestId, reset.actor],
  );
  return rows[0]!;
}

/** Where a period stands; one that nobody touched has spent nothing. */
export async function readPeriod(
  trx: Knex.Transaction,
  { budgetId, periodStartMs }: Pick<Adjustment, "budgetId" | "periodStartMs">,
): Promise<PeriodState> {
  const { rows } = await trx.raw<{ rows: PeriodState[] }>(
    `select spent, leased as held from budget_periods where budget_id = ? and period_start = ?`,
    [budgetId, new Date(periodStartMs).toISOString()],
  );
  return rows[0] ?? { spent: 0n, held: 0n };
}

/** The database's clock, milliseconds since 1970: by it, periods begin and end. */
export async function readClockMs(trx: Knex.Transaction): Promise<number> {
  const { rows } = await trx.raw<{ rows: { now: Date }[] }>("select clock_timestamp() as now");
  return Number(rows[0]!.now);
}
