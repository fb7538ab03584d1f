import type { Transaction } from "../database/database.js";
import { notFound } from "../errors.js";
import { computePeriod } from "../quota/calendar.js";
import { findAdjustment, readClockMs, readPeriod, resetPeriod } from "./adjustment-store.js";
import type { AuditRecord, ChangeOrigin } from "./audit.js";
import type { CatalogChange, CatalogChanges } from "./changes.js";
import { readEntry } from "./entry-store.js";
import { ENTRY_TABLES } from "./entry-table.js";
import { requestIdConflict } from "./top-up.js";

/** Which budget begins anew. */
export interface ResetRequest {
  readonly budgetId: string;
  /** Names the reset. */
  readonly requestId: string;
}

/** What a reset did. */
export interface ResetResult {
  readonly budgetId: string;
  /** The period that was reset, milliseconds since 1970. */
  readonly periodStartMs: number;
  /** What had been spent, in the budget's measure. */
  readonly forgiven: bigint;
  readonly spent: bigint;
  readonly held: bigint;
  /** Whether the request had been here before. */
  readonly isReplay: boolean;
}

/**
 * Sets to 0 what a budget has spent in its current period, once for each request id.
 *
 * @throws DomainError RESOURCE_NOT_FOUND, REQUEST_ID_CONFLICT
 */
export function resetBudget(
  changes: CatalogChanges,
  { budgetId, requestId }: ResetRequest,
  origin: ChangeOrigin,
): Promise<ResetResult> {
  return changes.make(origin, async (trx) => {
    const known = await findAdjustment(trx, requestId);
    if (known === undefined) return resetNow(trx, { budgetId, requestId }, origin.actor);
    if (known.kind !== "RESET" || known.budgetId !== budgetId) throw requestIdConflict(requestId);
    const { periodStartMs, amount } = known;
    const state = await readPeriod(trx, known);
    const result = { budgetId, periodStartMs, forgiven: -amount, ...state, isReplay: true };
    return { result, rows: new Map(), changes: [] };
  });
}

async function resetNow(
  trx: Transaction,
  { budgetId, requestId }: ResetRequest,
  actor: string,
): Promise<CatalogChange<ResetResult>> {
  const budget = (await readEntry(trx, ENTRY_TABLES.budgets, [budgetId]))?.entry;
  if (budget === undefined) {
    throw notFound("RESOURCE_NOT_FOUND", { type: "budget", name: budgetId });
  }
  const { startMs: periodStartMs } = computePeriod(budget.window, await readClockMs(trx));
  const period = { budgetId, periodStartMs };
  const { forgiven, held } = await resetPeriod(trx, { ...period, requestId, actor });
  return {
    result: { ...period, forgiven, held, spent: 0n, isReplay: false },
    rows: new Map(),
    changes: [],
    records: [auditOf(period, forgiven)],
  };
}

function auditOf(
  { budgetId, periodStartMs }: { readonly budgetId: string; readonly periodStartMs: number },
  forgiven: bigint,
): AuditRecord {
  const period_start_time = new Date(periodStartMs).toISOString();
  return {
    action: "UPDATED",
    resourceType: "budget",
    resourceId: budgetId,
    before: { period_start_time, spent: forgiven.toString() },
    after: { period_start_time, spent: "0" },
  };
}
