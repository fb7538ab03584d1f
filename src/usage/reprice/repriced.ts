import type { CatalogDirectory } from "../../catalog/directory.js";
import type { PricedCost } from "../../pricing/cost.js";
import type { CostBreakdown } from "../../pricing/cost-breakdown.js";
import type { PricingCatalog, PricingTerms } from "../../pricing/pricing-terms.js";
import { parseRateMultiplier } from "../../pricing/rate-multiplier.js";
import { amountFor, chargesOf, type SpendAmounts } from "../../quota/spend.js";
import { priceUsage, termsOf } from "../price-usage.js";
import type { BudgetCharge, UsageRecord } from "../usage-record.js";

/** What records are priced by. */
export interface RepriceTerms {
  readonly directory: CatalogDirectory;
  readonly pricing: PricingCatalog;
  /** Take the multiplier that the provider key has now, rather than the record's own. */
  readonly useCurrentRateMultipliers: boolean;
}

/** What becomes of a record: UNPRICED stays as it is for want of a price now. */
export type Repriced =
  | { readonly kind: "SAME" | "UNPRICED" }
  | { readonly kind: "CHANGED"; readonly record: UsageRecord };

/**
 * A finished record with the price of today's book that was effective when it arrived. A changed
 * one is a revision of what was told before: its version and its revision count one more.
 *
 * Nothing is taken back from a record because its model or provider has been retired since, or its
 * price has gone: a record is moved to a price that there is, or stays.
 *
 * @throws CostOutOfRangeError
 */
export function reprice(record: UsageRecord, by: RepriceTerms, nowUs: number): Repriced {
  const found = termsOf(by.pricing, record);
  if (found.lookup.outcome !== "PRICED") return { kind: "UNPRICED" };
  const terms = by.useCurrentRateMultipliers ? found : withOwnMultiplier(found, record);
  const priced = priceUsage(record, terms);
  if (isPricedAlike(record, priced)) return { kind: "SAME" };
  return {
    kind: "CHANGED",
    record: {
      ...record,
      cost: priced.list,
      actualCost: priced.actual,
      rateMultiplier: priced.rateMultiplier,
      priceVersion: priced.priceVersion?.version,
      priceTierIndex: priced.tierIndex,
      billingNote: priced.billingNote,
      charges: recharge(record, priced, by.directory),
      version: record.version + 1n,
      revision: record.revision + 1n,
      updateTimeUs: nowUs,
    },
  };
}

function withOwnMultiplier(terms: PricingTerms, { rateMultiplier }: UsageRecord): PricingTerms {
  return { ...terms, rateMultiplier: parseRateMultiplier(rateMultiplier) };
}

function isPricedAlike(record: UsageRecord, priced: PricedCost): boolean {
  return (
    isSameCost(record.cost, priced.list) &&
    isSameCost(record.actualCost, priced.actual) &&
    record.rateMultiplier === priced.rateMultiplier &&
    record.priceVersion === priced.priceVersion?.version &&
    record.priceTierIndex === priced.tierIndex &&
    record.billingNote === priced.billingNote
  );
}

function isSameCost(a: CostBreakdown, b: CostBreakdown): boolean {
  return (
    a.inputNanoUsd === b.inputNanoUsd &&
    a.outputNanoUsd === b.outputNanoUsd &&
    a.cacheCreationNanoUsd === b.cacheCreationNanoUsd &&
    a.cacheReadNanoUsd === b.cacheReadNanoUsd &&
    a.requestNanoUsd === b.requestNanoUsd
  );
}

/**
 * The record charges the budgets that it charged, in the same periods. Where it charged nothing
 * because it had cost nothing, it charges the budgets of now, in the period of its arrival.
 */
function recharge(
  record: UsageRecord,
  priced: PricedCost,
  directory: CatalogDirectory,
): readonly BudgetCharge[] {
  if (record.excludeFromBudgets) return record.charges;
  const before = amountsOf(record, record.cost, record.actualCost);
  const after = amountsOf(record, priced.list, priced.actual);
  const charged = new Map(record.charges.map((charge) => [charge.budgetId, charge]));
  const kept = record.charges.map((charge) => {
    const budget = directory.budget(charge.budgetId);
    // In which measure a budget counted that is gone cannot be known any more.
    return budget ? { ...charge, amount: amountFor(budget, after) } : charge;
  });
  const added = chargesOf(directory, record, {
    amounts: after,
    createTimeMs: record.createTimeUs / 1_000,
    periods: [],
  }).filter(({ budgetId }) => {
    const budget = directory.budget(budgetId);
    return !charged.has(budgetId) && budget && amountFor(budget, before) === 0n;
  });
  return [...kept.filter(({ amount }) => amount !== 0n), ...added];
}

function amountsOf(
  { tokens }: UsageRecord,
  list: CostBreakdown,
  actual: CostBreakdown,
): SpendAmounts {
  return {
    listNanoUsd: list.totalNanoUsd,
    actualNanoUsd: actual.totalNanoUsd,
    tokens: BigInt(tokens.totalTokens),
  };
}
