import type { CatalogTable } from "./catalog-table.js";
import type { ProviderEndpoint } from "./types.js";

interface ProviderEndpointRow {
  readonly provider_endpoint_id: string;
  readonly provider: string;
  readonly base_url: string;
  readonly api_format: string;
  readonly active: boolean;
  readonly request_timeout_ms: bigint | null;
}

/** How provider endpoints are stored. */
export const providerEndpointTable: CatalogTable<ProviderEndpoint, ProviderEndpointRow> = {
  name: "provider_endpoints",
  key: "provider_endpoint_id",
  columns: {
    provider_endpoint_id: "text",
    provider: "text",
    base_url: "text",
    api_format: "text",
    active: "boolean",
    request_timeout_ms: "bigint",
  },
  toRow: (endpoint) => ({
    provider_endpoint_id: endpoint.providerEndpointId,
    provider: endpoint.provider,
    base_url: endpoint.baseUrl,
    api_format: endpoint.apiFormat,
    active: endpoint.active,
    request_timeout_ms: endpoint.requestTimeoutMs,
  }),
  fromRow: (row) => ({
    providerEndpointId: row.provider_endpoint_id,
    provider: row.provider,
    baseUrl: row.base_url,
    apiFormat: row.api_format,
    active: row.active,
    requestTimeoutMs: row.request_timeout_ms === null ? null : Number(row.request_timeout_ms),
  }),
};
