import { formatPriceJson } from "../pricing/price-json.js";
import type { DocumentCollection, DocumentEntry } from "./document.js";
import { formatPriceId } from "./price-id.js";

/** JSON; amounts are decimal strings, since JSON numbers lose digits beyond 2^53. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | JsonObject;

/** A JSON object; undefined fields are not given. */
export type JsonObject = { readonly [field: string]: JsonValue | undefined };

/** How a collection's entries are named and shown. */
export interface CollectionFormat<T> {
  /** Name of the collection in the contract. */
  readonly name: string;
  readonly idOf: (entry: T) => string;
  /** The fields in the contract's spelling, without those that make the id; nothing is null or "". */
  readonly toJson: (entry: T) => JsonObject;
}

/** The formats by collection, in the order of the contract. */
export const COLLECTION_FORMATS: {
  readonly [C in DocumentCollection]: CollectionFormat<DocumentEntry<C>>;
} = {
  users: {
    name: "users",
    idOf: (user) => user.userId,
    toJson: (user) => ({
      email: user.email,
      username: user.username,
      role: user.role,
      active: user.active,
      expire_time: timeText(user.expireTimeMs),
      allowed_models: names(user.allowedModels),
      allowed_providers: names(user.allowedProviders),
    }),
  },
  apiKeys: {
    name: "api_keys",
    idOf: (key) => key.apiKeyId,
    toJson: (key) => ({
      user_id: key.userId,
      kind: key.kind,
      name: key.name,
      active: key.active,
      expire_time: timeText(key.expireTimeMs),
      allowed_models: names(key.allowedModels),
      allowed_providers: names(key.allowedProviders),
    }),
  },
  providers: {
    name: "providers",
    idOf: (provider) => provider.provider,
    toJson: (provider) => ({
      display_name: provider.displayName,
      active: provider.active,
      billing_type: provider.billingType,
      failed_request_billing: provider.failedRequestBilling,
    }),
  },
  providerEndpoints: {
    name: "provider_endpoints",
    idOf: (endpoint) => endpoint.providerEndpointId,
    toJson: (endpoint) => ({
      provider: endpoint.provider,
      base_url: endpoint.baseUrl,
      api_format: endpoint.apiFormat,
      active: endpoint.active,
      request_timeout: secondsText(endpoint.requestTimeoutMs),
    }),
  },
  providerKeys: {
    name: "provider_keys",
    idOf: (key) => key.providerKeyId,
    toJson: (key) => ({
      provider: key.provider,
      provider_endpoint_id: key.providerEndpointId,
      name: key.name,
      rate_multiplier: key.rateMultiplier,
      active: key.active,
    }),
  },
  models: {
    name: "models",
    idOf: (model) => model.model,
    toJson: (model) => ({ display_name: model.displayName, active: model.active }),
  },
  prices: {
    name: "prices",
    idOf: formatPriceId,
    toJson: (entry) => ({ price: JSON.parse(formatPriceJson(entry.price)), source: entry.source }),
  },
  budgets: {
    name: "budgets",
    idOf: (budget) => budget.budgetId,
    toJson: (budget) => ({
      scope: budget.scope,
      subject: budget.subject,
      measure: budget.measure,
      limit: budget.limit?.toString(),
      window: {
        kind: budget.window.kind,
        time_zone: budget.window.timeZone,
        days: budget.window.days,
        anchor_time: timeText(budget.window.anchorMs ?? null),
      },
      enforcement: budget.enforcement,
      alert_percents: budget.alertPercents,
      expire_time: timeText(budget.expireTimeMs),
      on_unavailable: budget.onUnavailable,
      active: budget.active,
    }),
  },
};

function timeText(timeMs: number | null): string | undefined {
  return timeMs === null ? undefined : new Date(timeMs).toISOString();
}

/** As protobuf writes a duration in JSON: "90s", "1.5s". */
function secondsText(durationMs: number | null): string | undefined {
  return durationMs === null ? undefined : `${durationMs / 1_000}s`;
}

function names(set: ReadonlySet<string> | undefined): readonly string[] {
  return set === undefined ? [] : [...set].sort();
}
