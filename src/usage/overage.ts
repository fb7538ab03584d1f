import type { RecordOutcome } from "./conflict.js";
import type { Overage, RecordResult } from "./record-request.js";
import type { UsageRecord } from "./usage-record.js";
import type { PostAnswer } from "./usage-store.js";

/** How far periods are above their limits, by {@link periodKey}. */
export type Overages = ReadonlyMap<string, bigint>;

/** No period is. */
export const NO_OVERAGES: Overages = new Map();

/** The periods of a posting that are above their budget's limit now. */
export function overagesOf(
  { periods }: PostAnswer,
  limitOf: (budgetId: string) => bigint | undefined,
): Overages {
  const overages = new Map<string, bigint>();
  for (const { budget_id: budgetId, period_start: periodStart, spent } of periods) {
    const limit = limitOf(budgetId);
    const overage = limit === undefined ? 0n : BigInt(spent) - limit;
    if (overage > 0n) overages.set(periodKey(budgetId, Date.parse(periodStart)), overage);
  }
  return overages;
}

/** A record's answer, with the overages of the periods that it charged. */
export function resultOf(
  record: UsageRecord,
  outcome: RecordOutcome,
  overages: Overages,
): RecordResult {
  const own: Overage[] = [];
  for (const { budgetId, periodStartMs } of overages.size > 0 ? record.charges : []) {
    const amount = overages.get(periodKey(budgetId, periodStartMs));
    if (amount !== undefined) own.push({ budgetId, amount });
  }
  return { record, outcome, overages: own };
}

function periodKey(budgetId: string, periodStartMs: number): string {
  return `${periodStartMs} ${budgetId}`;
}
