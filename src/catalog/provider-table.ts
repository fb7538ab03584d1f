import type { CatalogTable } from "./catalog-table.js";
import type { BillingType, FailedRequestBilling, Provider } from "./types.js";

interface ProviderRow {
  readonly provider: string;
  readonly display_name: string;
  readonly active: boolean;
  readonly billing_type: BillingType;
  readonly failed_request_billing: FailedRequestBilling;
}

/** How providers are stored. */
export const providerTable: CatalogTable<Provider, ProviderRow> = {
  name: "providers",
  key: "provider",
  columns: {
    provider: "text",
    display_name: "text",
    active: "boolean",
    billing_type: "text",
    failed_request_billing: "text",
  },
  toRow: (provider) => ({
    provider: provider.provider,
    display_name: provider.displayName,
    active: provider.active,
    billing_type: provider.billingType,
    failed_request_billing: provider.failedRequestBilling,
  }),
  fromRow: (row) => ({
    provider: row.provider,
    displayName: row.display_name,
    active: row.active,
    billingType: row.billing_type,
    failedRequestBilling: row.failed_request_billing,
  }),
};
