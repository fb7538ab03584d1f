import { budgetsCharged } from "./applicable-budgets.js";
import type { Budget, QuotaDirectory, SpendSubject } from "./directory.js";
import { periodAt } from "./window.js";

/** What a request used, or is expected to use. */
export interface SpendAmounts {
  /** Cost by the price list, nano-USD. */
  readonly listNanoUsd: bigint;
  /** Cost after the provider key's rate multiplier, nano-USD. */
  readonly actualNanoUsd: bigint;
  /** Tokens of all kinds. */
  readonly tokens: bigint;
  /** 0 for an attempt that another one follows. Default 1. */
  readonly requests?: bigint;
}

/** What one request takes from one budget. */
export interface Charge {
  readonly budgetId: string;
  /** Start of the budget's period, milliseconds since 1970. */
  readonly periodStartMs: number;
  /** In the budget's measure. */
  readonly amount: bigint;
}

/** Budgets whose period is already decided, by a reservation or an earlier charge. */
export type PeriodOverrides = readonly Pick<Charge, "budgetId" | "periodStartMs">[];

/** How much of a budget's measure a request is: a provider is paid the actual cost, all else list cost. */
export function amountFor(budget: Budget, amounts: SpendAmounts): bigint {
  switch (budget.measure) {
    case "TOKENS":
      return amounts.tokens;
    case "REQUESTS":
      return amounts.requests ?? 1n;
    case "COST":
      return budget.scope === "PROVIDER" ? amounts.actualNanoUsd : amounts.listNanoUsd;
  }
}

/**
 * What a finished record charges: a budget whose period is already decided in that one, any other
 * in the period of the record's arrival. Charges of 0 are left out.
 */
export function chargesOf(
  directory: QuotaDirectory,
  subject: SpendSubject,
  spend: { amounts: SpendAmounts; createTimeMs: number; periods: PeriodOverrides },
): Charge[] {
  const charges: Charge[] = [];
  for (const budget of budgetsCharged(directory, subject)) {
    const amount = amountFor(budget, spend.amounts);
    if (amount === 0n) continue;
    const decided = spend.periods.find(({ budgetId }) => budgetId === budget.budgetId);
    const periodStartMs =
      decided?.periodStartMs ?? periodAt(budget.window, spend.createTimeMs).startMs;
    charges.push({ budgetId: budget.budgetId, periodStartMs, amount });
  }
  return charges;
}
