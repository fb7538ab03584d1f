import type { CatalogTable } from "./catalog-table.js";
import { fromNamesColumn, fromTimeColumn, toNamesColumn, toTimeColumn } from "./column-values.js";
import type { ApiKey, ApiKeyKind } from "./types.js";

interface ApiKeyRow {
  readonly api_key_id: string;
  readonly user_id: string;
  readonly kind: ApiKeyKind;
  readonly name: string;
  readonly active: boolean;
  readonly expire_time: Date | null;
  readonly allowed_models: readonly string[];
  readonly allowed_providers: readonly string[];
}

/** How API keys are stored. */
export const apiKeyTable: CatalogTable<ApiKey, ApiKeyRow> = {
  name: "api_keys",
  key: "api_key_id",
  columns: {
    api_key_id: "text",
    user_id: "text",
    kind: "text",
    name: "text",
    active: "boolean",
    expire_time: "timestamptz",
    allowed_models: "text[]",
    allowed_providers: "text[]",
  },
  toRow: (key) => ({
    api_key_id: key.apiKeyId,
    user_id: key.userId,
    kind: key.kind,
    name: key.name,
    active: key.active,
    expire_time: toTimeColumn(key.expireTimeMs),
    allowed_models: toNamesColumn(key.allowedModels),
    allowed_providers: toNamesColumn(key.allowedProviders),
  }),
  fromRow: (row) => ({
    apiKeyId: row.api_key_id,
    userId: row.user_id,
    kind: row.kind,
    name: row.name,
    active: row.active,
    expireTimeMs: fromTimeColumn(row.expire_time),
    allowedModels: fromNamesColumn(row.allowed_models),
    allowedProviders: fromNamesColumn(row.allowed_providers),
  }),
};
