import { parseRateMultiplier } from "../pricing/rate-multiplier.js";
import type { CatalogTable } from "./catalog-table.js";
import type { ProviderKey } from "./types.js";

interface ProviderKeyRow {
  readonly provider_key_id: string;
  readonly provider: string;
  readonly provider_endpoint_id: string;
  readonly name: string;
  readonly rate_multiplier: string;
  readonly active: boolean;
}

/** How provider keys are stored. */
export const providerKeyTable: CatalogTable<ProviderKey, ProviderKeyRow> = {
  name: "provider_keys",
  key: "provider_key_id",
  columns: {
    provider_key_id: "text",
    provider: "text",
    provider_endpoint_id: "text",
    name: "text",
    rate_multiplier: "text",
    active: "boolean",
  },
  toRow: (key) => ({
    provider_key_id: key.providerKeyId,
    provider: key.provider,
    provider_endpoint_id: key.providerEndpointId,
    name: key.name,
    rate_multiplier: key.rateMultiplier,
    active: key.active,
  }),
  fromRow: (row) => ({
    providerKeyId: row.provider_key_id,
    provider: row.provider,
    providerEndpointId: row.provider_endpoint_id,
    name: row.name,
    rateMultiplier: parseRateMultiplier(row.rate_multiplier).text,
    active: row.active,
  }),
};
