import type { PriceVersion } from "./price.js";
import { priceViolations } from "./price-validation.js";
import type { BillingType, FailedRequestBilling } from "./pricing-terms.js";
import { parseRateMultiplier, type RateMultiplier } from "./rate-multiplier.js";

/** What pricing needs to know of a model. */
export interface PricingModel {
  readonly model: string;
  readonly active: boolean;
}

/** What pricing needs to know of a provider. */
export interface PricingProvider {
  readonly provider: string;
  readonly active: boolean;
  readonly billingType: BillingType;
  readonly failedRequestBilling: FailedRequestBilling;
}

/** What pricing needs to know of a provider key. */
export interface PricingProviderKey {
  readonly providerKeyId: string;
  /** Decimal text, 0 to 1,000 with at most 9 places. */
  readonly rateMultiplier: string;
}

/** Rows of a price book. */
export interface PriceBookRows {
  readonly prices?: readonly PriceVersion[];
  readonly models?: readonly PricingModel[];
  readonly providers?: readonly PricingProvider[];
  readonly providerKeys?: readonly PricingProviderKey[];
}

/** Keys of rows that go. */
export interface PriceBookKeys {
  readonly priceIds?: readonly string[];
  readonly models?: readonly string[];
  readonly providers?: readonly string[];
  readonly providerKeyIds?: readonly string[];
}

/** What a price book holds, by key. */
export interface PriceBookTables {
  readonly prices: ReadonlyMap<string, PriceVersion>;
  readonly models: ReadonlyMap<string, PricingModel>;
  readonly providers: ReadonlyMap<string, PricingProvider>;
  readonly multipliers: ReadonlyMap<string, RateMultiplier>;
}

/** A row that a price book refuses. */
export class PriceBookError extends Error {
  override readonly name = "PriceBookError";
}

/** Tables without a row. */
export const EMPTY_TABLES: PriceBookTables = {
  prices: new Map(),
  models: new Map(),
  providers: new Map(),
  multipliers: new Map(),
};

/**
 * New tables with rows removed, then added or replaced by key; the given tables stay as they are.
 *
 * @throws PriceBookError on an invalid price, DecimalError on an invalid multiplier
 */
export function changeTables(
  tables: PriceBookTables,
  upsert: PriceBookRows,
  remove: PriceBookKeys = {},
): PriceBookTables {
  const { prices = [], models = [], providers = [], providerKeys = [] } = upsert;
  for (const version of prices) refuseInvalid(version);
  return {
    prices: changeTable(
      tables.prices,
      remove.priceIds,
      prices.map((row) => [row.priceId, row]),
    ),
    models: changeTable(
      tables.models,
      remove.models,
      models.map((row) => [row.model, row]),
    ),
    providers: changeTable(
      tables.providers,
      remove.providers,
      providers.map((row) => [row.provider, row]),
    ),
    multipliers: changeTable(
      tables.multipliers,
      remove.providerKeyIds,
      providerKeys.map((row) => [row.providerKeyId, parseRateMultiplier(row.rateMultiplier)]),
    ),
  };
}

function changeTable<V>(
  table: ReadonlyMap<string, V>,
  remove: readonly string[] = [],
  upsert: readonly (readonly [string, V])[],
): ReadonlyMap<string, V> {
  if (remove.length === 0 && upsert.length === 0) return table;
  const changed = new Map(table);
  for (const key of remove) changed.delete(key);
  for (const [key, row] of upsert) changed.set(key, row);
  return changed;
}

function refuseInvalid({ priceId, price, effectiveFromMs, effectiveToMs }: PriceVersion): void {
  const [violation] = priceViolations(price);
  if (violation !== undefined) {
    throw new PriceBookError(`price ${priceId}: ${violation.field}: ${violation.description}`);
  }
  if (Number.isNaN(effectiveFromMs) || Number.isNaN(effectiveToMs)) {
    throw new PriceBookError(`price ${priceId}: effective time: must be a number`);
  }
}
