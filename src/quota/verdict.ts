import { formatUsd } from "../pricing/money.js";
import type { Budget, BudgetMeasure } from "./directory.js";
import type { BudgetFigures } from "./figures.js";
import type { BudgetPeriod } from "./window.js";

/** A budget with a limit that a check meets, in its current period. */
export interface MetBudget {
  readonly budget: Budget;
  readonly period: BudgetPeriod;
  /** What the check expects to take from it, in its measure. */
  readonly amount: bigint;
  /** An expired budget allows nothing any more. */
  readonly isExpired: boolean;
}

/** A met budget and where it stands. */
export interface Standing extends MetBudget {
  readonly limit: bigint;
  readonly spent: bigint;
  /** Held by reservations, and by what other replicas have leased. */
  readonly held: bigint;
  /** limit - spent - held; at most 0 for an expired budget. */
  readonly remaining: bigint;
}

/** Puts figures to a met budget; undefined when it has become unlimited meanwhile. */
export function standingOf(met: MetBudget, figures: BudgetFigures): Standing | undefined {
  const { limit, spent, held } = figures;
  if (limit === undefined) return undefined;
  const left = limit - spent - held;
  const remaining = met.isExpired && left > 0n ? 0n : left;
  const { budget, period, amount, isExpired } = met;
  return { budget, period, amount, isExpired, limit, spent, held, remaining };
}

/** Whether a budget has no room: even an amount of 0 needs that something is left. */
export function isShort({ remaining, amount }: Standing): boolean {
  return remaining <= 0n || remaining < amount;
}

/** Of the budgets in money the one with the least left. */
export function tightest(standings: readonly Standing[]): Standing | undefined {
  let found: Standing | undefined;
  for (const standing of standings) {
    const isInMoney = standing.budget.measure === "COST";
    if (isInMoney && (!found || standing.remaining < found.remaining)) found = standing;
  }
  return found;
}

/** Why a budget denies, for people. */
export function denialMessage({ budget, remaining, amount, isExpired }: Standing): string {
  if (isExpired) return `budget "${budget.budgetId}" has expired`;
  const left = formatAmount(budget.measure, remaining);
  const needed = formatAmount(budget.measure, amount);
  return `budget "${budget.budgetId}": ${left} remaining, ${needed} needed`;
}

/** What a soft limit warns of, for people. */
export function warningMessage({ budget, limit }: Standing, projected: bigint): string {
  const wanted = formatAmount(budget.measure, projected);
  const allowed = formatAmount(budget.measure, limit);
  return `budget "${budget.budgetId}": ${wanted} would pass the soft limit of ${allowed}`;
}

/** How soon room may come back while others hold some of it. */
const HELD_RETRY_MS = 1_000;

/**
 * When asking again can help, in milliseconds from now: soon while reservations hold what is
 * missing, else when the window resets. Undefined: not before somebody changes something.
 */
export function retryAfterMs(
  { limit, spent, held, amount, period, isExpired }: Standing,
  nowMs: number,
): number | undefined {
  if (isExpired) return undefined;
  if (held > 0n && spent < limit && spent + amount <= limit) return HELD_RETRY_MS;
  return period.endMs === null ? undefined : Math.max(period.endMs - nowMs, 0);
}

function formatAmount(measure: BudgetMeasure, amount: bigint): string {
  return measure === "COST" ? formatUsd(amount) : `${amount} ${measure.toLowerCase()}`;
}
