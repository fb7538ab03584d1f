import type { Knex } from "knex";
import { apiKeyTable } from "./api-key-table.js";
import { budgetTable } from "./budget-table.js";
import type { CatalogRows, CatalogTableName, RowIds } from "./catalog-rows.js";
import { readEntries, readTable } from "./catalog-store.js";
import type { CatalogTable, TableRows } from "./catalog-table.js";
import { modelTable } from "./model-table.js";
import { readPrices, readPricesOfModels } from "./price-store.js";
import { providerEndpointTable } from "./provider-endpoint-table.js";
import { providerKeyTable } from "./provider-key-table.js";
import { providerTable } from "./provider-table.js";
import { readSettings, type StoredSettings } from "./settings-store.js";
import type {
  ApiKey,
  Budget,
  Model,
  ModelPrice,
  Provider,
  ProviderEndpoint,
  ProviderKey,
  User,
} from "./types.js";
import { userTable } from "./user-table.js";

/** What was asked of a table and what is there. */
export interface CollectionRead<T> extends TableRows<T> {
  readonly ids: RowIds;
}

/** What was read of the catalog; tables that were not asked for are unset. */
export interface CatalogSnapshot {
  readonly users: CollectionRead<User> | undefined;
  readonly apiKeys: CollectionRead<ApiKey> | undefined;
  readonly providers: CollectionRead<Provider> | undefined;
  readonly providerEndpoints: CollectionRead<ProviderEndpoint> | undefined;
  readonly providerKeys: CollectionRead<ProviderKey> | undefined;
  readonly models: CollectionRead<Model> | undefined;
  readonly prices: CollectionRead<ModelPrice> | undefined;
  readonly budgets: CollectionRead<Budget> | undefined;
  readonly settings: StoredSettings | undefined;
}

/** Reads entries, one query a table. */
export async function readSnapshot(knex: Knex, rows: CatalogRows): Promise<CatalogSnapshot> {
  const read = <T, Row>(name: CatalogTableName, table: CatalogTable<T, Row>) =>
    readCollection(rows.get(name), (ids) =>
      ids === null ? readTable(knex, table) : readEntries(knex, table, ids),
    );
  return {
    users: await read("users", userTable),
    apiKeys: await read("api_keys", apiKeyTable),
    providers: await read("providers", providerTable),
    providerEndpoints: await read("provider_endpoints", providerEndpointTable),
    providerKeys: await read("provider_keys", providerKeyTable),
    models: await read("models", modelTable),
    prices: await readCollection(rows.get("model_prices"), (models) =>
      models === null ? readPrices(knex) : readPricesOfModels(knex, models),
    ),
    budgets: await read("budgets", budgetTable),
    settings: rows.has("settings") ? await readSettings(knex) : undefined,
  };
}

async function readCollection<T>(
  ids: RowIds | undefined,
  read: (ids: readonly string[] | null) => Promise<TableRows<T>>,
): Promise<CollectionRead<T> | undefined> {
  if (ids === undefined) return undefined;
  return { ids, ...(await read(ids === null ? null : [...ids])) };
}
