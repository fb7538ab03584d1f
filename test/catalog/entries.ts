import type { ChangeOrigin } from "../../src/catalog/audit.js";
import type { CatalogDocument } from "../../src/catalog/document.js";
import type {
  ApiKey,
  Budget,
  Model,
  PriceEntry,
  Provider,
  ProviderEndpoint,
  ProviderKey,
  User,
} from "../../src/catalog/types.js";
import type { Price } from "../../src/pricing/price.js";

/** Who changes what tests change without a call. */
export const TEST_ORIGIN: ChangeOrigin = { actor: "test", method: "Test", requestId: "test" };

/** Entries with every default, but for what is given. */

export function user(userId: string, fields: Partial<User> = {}): User {
  return {
    userId,
    email: "",
    username: "",
    role: "USER",
    active: true,
    expireTimeMs: null,
    allowedModels: undefined,
    allowedProviders: undefined,
    ...fields,
  };
}

export function apiKey(apiKeyId: string, fields: Partial<ApiKey> = {}): ApiKey {
  return {
    apiKeyId,
    userId: "",
    kind: "ORDINARY",
    name: "",
    active: true,
    expireTimeMs: null,
    allowedModels: undefined,
    allowedProviders: undefined,
    ...fields,
  };
}

export function provider(name: string, fields: Partial<Provider> = {}): Provider {
  return {
    provider: name,
    displayName: "",
    active: true,
    billingType: "PAY_AS_YOU_GO",
    failedRequestBilling: "USAGE",
    ...fields,
  };
}

export function providerEndpoint(
  providerEndpointId: string,
  fields: Partial<ProviderEndpoint> = {},
): ProviderEndpoint {
  return {
    providerEndpointId,
    provider: "",
    baseUrl: "",
    apiFormat: "",
    active: true,
    requestTimeoutMs: null,
    ...fields,
  };
}

export function providerKey(providerKeyId: string, fields: Partial<ProviderKey> = {}): ProviderKey {
  return {
    providerKeyId,
    provider: "",
    providerEndpointId: "",
    name: "",
    rateMultiplier: "1",
    active: true,
    ...fields,
  };
}

export function model(name: string, fields: Partial<Model> = {}): Model {
  return { model: name, displayName: "", active: true, ...fields };
}

/** One tier. */
export function flatPrice(inputNanoUsdPerMillion: bigint, outputNanoUsdPerMillion = 0n): Price {
  return { tiers: [{ inputNanoUsdPerMillion, outputNanoUsdPerMillion, cacheTtlPricing: [] }] };
}

export function price(name: string, fields: Partial<PriceEntry> = {}): PriceEntry {
  return {
    model: name,
    provider: "",
    effectiveTimeMs: null,
    price: flatPrice(1_000_000_000n),
    source: "operator",
    ...fields,
  };
}

export function budget(budgetId: string, fields: Partial<Budget> = {}): Budget {
  return {
    budgetId,
    scope: "GLOBAL",
    subject: "",
    measure: "COST",
    limit: null,
    window: { kind: "LIFETIME", timeZone: "UTC" },
    enforcement: "HARD",
    alertPercents: [],
    expireTimeMs: null,
    onUnavailable: "DENY",
    active: true,
    ...fields,
  };
}

export function catalogDocument(fields: Partial<CatalogDocument> = {}): CatalogDocument {
  return {
    users: [],
    apiKeys: [],
    providers: [],
    providerEndpoints: [],
    providerKeys: [],
    models: [],
    prices: [],
    budgets: [],
    settings: {},
    ...fields,
  };
}
