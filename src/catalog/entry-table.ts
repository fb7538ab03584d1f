import { apiKeyTable } from "./api-key-table.js";
import { budgetTable } from "./budget-table.js";
import type { CatalogTable } from "./catalog-table.js";
import { toEffectiveTimeColumn } from "./column-values.js";
import type { DocumentCollection, DocumentEntry } from "./document.js";
import { modelTable } from "./model-table.js";
import type { PriceKey } from "./price-id.js";
import { fromPriceRow, PRICE_COLUMNS, type PriceRow } from "./price-row.js";
import { providerEndpointTable } from "./provider-endpoint-table.js";
import { providerKeyTable } from "./provider-key-table.js";
import { providerTable } from "./provider-table.js";
import type { ModelPrice } from "./types.js";
import { userTable } from "./user-table.js";

/** An entry of each collection, as it is stored. */
export type StoredEntry<C extends DocumentCollection> = C extends "prices"
  ? ModelPrice
  : DocumentEntry<C>;

/** Where the entries of a collection lie, for those who read them one by one or page by page. */
export interface EntryTable<T> {
  readonly name: string;
  /** Kind of entry, as errors and the audit log name it. */
  readonly type: string;
  /** The columns that identify an entry; pages are in their order. */
  readonly keys: readonly string[];
  readonly columns: readonly string[];
  /** @throws on what only a hand-made row can hold */
  readonly fromRow: (row: unknown) => T;
}

/** The tables by collection. */
export const ENTRY_TABLES: {
  readonly [C in DocumentCollection]: EntryTable<StoredEntry<C>>;
} = {
  users: entryTable("user", userTable),
  apiKeys: entryTable("api_key", apiKeyTable),
  providers: entryTable("provider", providerTable),
  providerEndpoints: entryTable("provider_endpoint", providerEndpointTable),
  providerKeys: entryTable("provider_key", providerKeyTable),
  models: entryTable("model", modelTable),
  prices: {
    name: "model_prices",
    type: "model_price",
    keys: ["model", "provider", "effective_time"],
    columns: PRICE_COLUMNS,
    fromRow: (row) => fromPriceRow(row as PriceRow),
  },
  budgets: entryTable("budget", budgetTable),
};

/** What identifies a price, as its columns have it. */
export function toPriceKey({ model, provider, effectiveTimeMs }: PriceKey): readonly string[] {
  return [model, provider, toEffectiveTimeColumn(effectiveTimeMs)];
}

function entryTable<T, Row>(type: string, table: CatalogTable<T, Row>): EntryTable<T> {
  return {
    name: table.name,
    type,
    keys: [table.key],
    columns: Object.keys(table.columns),
    fromRow: (row) => table.fromRow(row as Row),
  };
}
