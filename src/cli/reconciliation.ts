import type { VerifyLedgerResponse } from "../../gen/tally/v1/operations_pb.js";
import { BudgetEnforcement, type BudgetState } from "../../gen/tally/v1/usage_pb.js";
import type { TallyClients } from "../traffic/clients.js";
import { DEMO_CALLERS } from "../traffic/demo-callers.js";
import { callerBudgetId, GLOBAL_BUDGET_ID, sharedBudgetIds } from "../traffic/demo-catalog.js";
import type { TrafficTotals } from "../traffic/traffic-totals.js";
import { formatCount, formatDollars } from "./format.js";
import type { Table } from "./table.js";

/** The demo's spend, as four independent places tell it, nano-USD. */
export interface Reconciliation {
  /** Sum of what RecordUsage answered. */
  readonly answeredNanoUsd: bigint;
  /** Sum of the records in the database. */
  readonly recordsNanoUsd: bigint;
  /** What the budget on everything has spent. */
  readonly globalBudgetNanoUsd: bigint;
  /** What the budgets of all users and prepaid keys have spent together. */
  readonly callerBudgetsNanoUsd: bigint;
  /** HARD budgets that were compared with their limit. */
  readonly limitedBudgets: number;
  /** Reservations that were neither settled nor released. */
  readonly openReservations: number;
  /** One line for each disagreement; none: the books are right. */
  readonly problems: readonly string[];
}

/** Asks the server for every budget and compares what it tells with what was sent. */
export async function reconcile(
  { checker }: Pick<TallyClients, "checker">,
  totals: TrafficTotals,
  verified: VerifyLedgerResponse,
): Promise<Reconciliation> {
  const read = async (budgetId: string) => {
    const { budgets } = await checker.getQuota({ subject: { case: "budgetId", value: budgetId } });
    return budgets;
  };
  const callers = (await Promise.all(DEMO_CALLERS.map((c) => read(callerBudgetId(c))))).flat();
  const shared = (await Promise.all(sharedBudgetIds().map(read))).flat();
  const global = shared.filter(({ budgetId }) => budgetId === GLOBAL_BUDGET_ID);
  const limited = [...callers, ...shared].filter(
    ({ limit, enforcement }) => limit !== undefined && enforcement === BudgetEnforcement.HARD,
  );
  const open = new Set(
    [...callers, ...shared].flatMap(({ reservations }) => reservations.map((r) => r.reservationId)),
  );
  const sums = {
    answeredNanoUsd: totals.costNanoUsd,
    recordsNanoUsd: BigInt(verified.totalCostNanoUsd || 0),
    globalBudgetNanoUsd: sumSpent(global),
    callerBudgetsNanoUsd: sumSpent(callers),
  };
  return {
    ...sums,
    limitedBudgets: limited.length,
    openReservations: open.size,
    problems: [
      ...disagreements(sums),
      ...countProblems(totals, verified),
      ...[...open].map((reservationId) => `reservation ${reservationId} is still open`),
      ...limited.filter(({ limit = 0n, spent }) => spent > limit).map(describeOverspent),
    ],
  };
}

function sumSpent(budgets: readonly BudgetState[]): bigint {
  return budgets.reduce((sum, { spent }) => sum + spent, 0n);
}

function disagreements({ answeredNanoUsd, ...others }: Record<string, bigint>): string[] {
  return Object.entries(others)
    .filter(([, amount]) => amount !== answeredNanoUsd)
    .map(([name, amount]) => `${name} is ${amount}, but what was answered is ${answeredNanoUsd}`);
}

function countProblems(totals: TrafficTotals, verified: VerifyLedgerResponse): string[] {
  const problems: string[] = [];
  if (totals.lost > 0) problems.push(`${formatCount(totals.lost)} requests were lost`);
  if (verified.records !== BigInt(totals.recorded)) {
    const told = `${formatCount(totals.recorded)} were acknowledged`;
    problems.push(`${formatCount(verified.records)} records are there, but ${told}`);
  }
  if (verified.driftCount > 0n) {
    problems.push(`${formatCount(verified.driftCount)} figures drifted`);
  }
  return problems;
}

function describeOverspent({ budgetId, spent, limit = 0n }: BudgetState): string {
  return `${budgetId} has spent ${formatDollars(spent)} of ${formatDollars(limit)}`;
}

/** The four sums, one below the other. */
export function reconciliationTable(books: Reconciliation): Table {
  return {
    title: "Reconciliation",
    columns: ["USD"],
    rows: [
      ["answered by RecordUsage", formatDollars(books.answeredNanoUsd)],
      ["usage records", formatDollars(books.recordsNanoUsd)],
      ["budget on everything", formatDollars(books.globalBudgetNanoUsd)],
      ["budgets of users and prepaid keys", formatDollars(books.callerBudgetsNanoUsd)],
      ["hard budgets, none above its limit", formatCount(books.limitedBudgets)],
      ["reservations still open", formatCount(books.openReservations)],
    ],
  };
}
