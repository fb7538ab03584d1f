import {
  changeTables,
  EMPTY_TABLES,
  PriceBookError,
  type PriceBookKeys,
  type PriceBookRows,
  type PriceBookTables,
} from "./price-book-rows.js";
import { buildPriceIndex, findAllPrices, findPrice, type PriceIndex } from "./price-index.js";
import type { PriceLookup, PricingCatalog, PricingTerms, TermsQuery } from "./pricing-terms.js";
import { DEFAULT_RATE_MULTIPLIER } from "./rate-multiplier.js";

/** The price list in memory, with what else of the catalog decides a price. */
export interface PriceBook extends PricingCatalog {
  /**
   * Takes a whole new content, at once or not at all.
   *
   * @throws PriceBookError on an invalid price or an id that comes twice, DecimalError on an
   * invalid multiplier; the content then stays as it was
   */
  replace(rows: PriceBookRows): void;
  /**
   * Removes rows by key, then adds rows or replaces them by key, at once or not at all.
   *
   * @throws PriceBookError on an invalid price, DecimalError on an invalid multiplier; the
   * content then stays as it was
   */
  apply(upsert: PriceBookRows, remove?: PriceBookKeys): void;
}

/** All that one answer comes from; never changed, only exchanged. */
interface PriceBookState {
  readonly tables: PriceBookTables;
  readonly index: PriceIndex;
}

/**
 * Makes a price book. Models and providers that it has no row of are active, pay as they go
 * and bill failed requests by USAGE, since what the catalog does not know is priced all the
 * same where a price is known.
 *
 * @throws as `replace`
 */
export function createPriceBook(rows: PriceBookRows = {}): PriceBook {
  let state = buildState(rows);
  return {
    replace(newRows) {
      state = buildState(newRows);
    },
    apply(upsert, remove = {}) {
      const tables = changeTables(state.tables, upsert, remove);
      const isIndexed = tables.prices === state.tables.prices;
      // Prices change seldom: indexing the bundled collection's 3,000 entries takes some 15 ms.
      const index = isIndexed ? state.index : buildPriceIndex(tables.prices.values());
      state = { tables, index };
    },
    findTerms(query) {
      return termsFor(state, query, findLookup(state, query));
    },
    findCandidates(model, atMs) {
      return candidates(state, model, atMs);
    },
  };
}

function buildState(rows: PriceBookRows): PriceBookState {
  const tables = changeTables(EMPTY_TABLES, rows);
  if (tables.prices.size !== (rows.prices?.length ?? 0)) {
    throw new PriceBookError("prices: must have unique ids");
  }
  return { tables, index: buildPriceIndex(tables.prices.values()) };
}

function findLookup(state: PriceBookState, query: TermsQuery): PriceLookup {
  const { model, provider = "", atMs } = query;
  const inactive = inactiveReason(state.tables, model, provider);
  if (inactive !== undefined) return { outcome: inactive };
  const version = findPrice(state.index, model, provider, atMs);
  return version === undefined ? { outcome: "NO_PRICE" } : { outcome: "PRICED", version };
}

function inactiveReason(tables: PriceBookTables, model: string, provider: string) {
  if (tables.providers.get(provider)?.active === false) return "PROVIDER_INACTIVE";
  if (tables.models.get(model)?.active === false) return "MODEL_INACTIVE";
  return undefined;
}

function termsFor(
  state: PriceBookState,
  { provider = "", providerKeyId = "" }: Omit<TermsQuery, "model" | "atMs">,
  lookup: PriceLookup,
): PricingTerms {
  const row = state.tables.providers.get(provider);
  return {
    lookup,
    billingType: row?.billingType ?? "PAY_AS_YOU_GO",
    failedRequestBilling: row?.failedRequestBilling ?? "USAGE",
    rateMultiplier: state.tables.multipliers.get(providerKeyId) ?? DEFAULT_RATE_MULTIPLIER,
  };
}

function candidates(state: PriceBookState, model: string, atMs: number): PricingTerms[] {
  const found: PricingTerms[] = [];
  for (const { provider, version } of findAllPrices(state.index, model, atMs)) {
    if (inactiveReason(state.tables, model, provider ?? "") !== undefined) continue;
    const owner = provider === undefined ? {} : { provider };
    found.push(termsFor(state, owner, { outcome: "PRICED", version }));
  }
  return found;
}
