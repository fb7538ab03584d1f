import type { CatalogRows, CatalogTableName, RowIds } from "./catalog-rows.js";
import type { CatalogDocument } from "./document.js";

/** The rows that a document's entries lie in. */
export function rowsOf(document: CatalogDocument): CatalogRows {
  const ids: Readonly<Record<CatalogTableName, readonly string[]>> = {
    users: document.users.map((user) => user.userId),
    api_keys: document.apiKeys.map((key) => key.apiKeyId),
    providers: document.providers.map((provider) => provider.provider),
    provider_endpoints: document.providerEndpoints.map((entry) => entry.providerEndpointId),
    provider_keys: document.providerKeys.map((key) => key.providerKeyId),
    models: document.models.map((model) => model.model),
    model_prices: document.prices.map((price) => price.model),
    budgets: document.budgets.map((budget) => budget.budgetId),
    settings: Object.keys(document.settings),
  };
  const rows = new Map<CatalogTableName, RowIds>();
  for (const [table, names] of Object.entries(ids)) {
    if (names.length > 0) rows.set(table as CatalogTableName, new Set(names));
  }
  return rows;
}
