import type { Duration, Timestamp } from "@bufbuild/protobuf/wkt";
import type * as proto from "../../gen/tally/v1/catalog_pb.js";
import type { BudgetWindow as ProtoBudgetWindow } from "../../gen/tally/v1/usage_pb.js";
import { DecimalError } from "../pricing/money.js";
import { parseRateMultiplier } from "../pricing/rate-multiplier.js";
import type { CatalogDocument } from "./document.js";
import { fromProtoPrice } from "./price-from-proto.js";
import type { PriceKey } from "./price-id.js";
import * as enums from "./proto-enums.js";
import { type AutoProvision, DEFAULT_MAX_PER_MINUTE } from "./provision.js";
import type { SettingsValues } from "./settings.js";
import { MIN_TIME_MS } from "./time-validation.js";
import type {
  ApiKey,
  Budget,
  BudgetWindow,
  Model,
  PriceEntry,
  Provider,
  ProviderEndpoint,
  ProviderKey,
  User,
} from "./types.js";

/**
 * Reads a document and fills in every default. Times keep their milliseconds, lists that are sets
 * are sorted without repetition, so that what means the same is the same.
 */
export function fromProtoDocument(document: proto.CatalogDocument): CatalogDocument {
  return {
    users: document.users.map(fromProtoUser),
    apiKeys: document.apiKeys.map(fromProtoApiKey),
    providers: document.providers.map(fromProtoProvider),
    providerEndpoints: document.providerEndpoints.map(fromProtoProviderEndpoint),
    providerKeys: document.providerKeys.map(fromProtoProviderKey),
    models: document.models.map(fromProtoModel),
    prices: document.prices.map(fromProtoModelPrice),
    budgets: document.budgets.map(fromProtoBudget),
    settings: document.settings === undefined ? {} : fromProtoSettings(document.settings),
  };
}

/** Reads one entry, as {@link fromProtoDocument} does. */
export function fromProtoUser(user: proto.User): User {
  return {
    userId: user.userId,
    email: user.email,
    username: user.username,
    role: enums.USER_ROLES[user.role],
    active: user.active ?? true,
    expireTimeMs: fromProtoTime(user.expireTime),
    allowedModels: fromProtoNames(user.allowedModels),
    allowedProviders: fromProtoNames(user.allowedProviders),
  };
}

/** Reads one entry, as {@link fromProtoDocument} does. */
export function fromProtoApiKey(key: proto.ApiKey): ApiKey {
  return {
    apiKeyId: key.apiKeyId,
    userId: key.userId,
    kind: enums.API_KEY_KINDS[key.kind],
    name: key.name,
    active: key.active ?? true,
    expireTimeMs: fromProtoTime(key.expireTime),
    allowedModels: fromProtoNames(key.allowedModels),
    allowedProviders: fromProtoNames(key.allowedProviders),
  };
}

/** Reads one entry, as {@link fromProtoDocument} does. */
export function fromProtoProvider(provider: proto.Provider): Provider {
  return {
    provider: provider.provider,
    displayName: provider.displayName,
    active: provider.active ?? true,
    billingType: enums.BILLING_TYPES[provider.billingType],
    failedRequestBilling: enums.FAILED_REQUEST_BILLINGS[provider.failedRequestBilling],
  };
}

/** Reads one entry, as {@link fromProtoDocument} does. */
export function fromProtoProviderEndpoint(endpoint: proto.ProviderEndpoint): ProviderEndpoint {
  return {
    providerEndpointId: endpoint.providerEndpointId,
    provider: endpoint.provider,
    baseUrl: endpoint.baseUrl,
    apiFormat: endpoint.apiFormat,
    active: endpoint.active ?? true,
    requestTimeoutMs: fromProtoDuration(endpoint.requestTimeout),
  };
}

/** Reads one entry, as {@link fromProtoDocument} does. */
export function fromProtoProviderKey(key: proto.ProviderKey): ProviderKey {
  return {
    providerKeyId: key.providerKeyId,
    provider: key.provider,
    providerEndpointId: key.providerEndpointId,
    name: key.name,
    rateMultiplier: fromProtoRateMultiplier(key.rateMultiplier || "1"),
    active: key.active ?? true,
  };
}

/** Without needless zeros; what is none stays as it is, for validation to name it. */
function fromProtoRateMultiplier(text: string): string {
  try {
    return parseRateMultiplier(text).text;
  } catch (error) {
    if (error instanceof DecimalError) return text;
    throw error;
  }
}

/** Reads one entry, as {@link fromProtoDocument} does. */
export function fromProtoModel({ model, displayName, active = true }: proto.Model): Model {
  return { model, displayName, active };
}

/** Reads one entry, as {@link fromProtoDocument} does. */
export function fromProtoModelPrice(price: proto.ModelPrice): PriceEntry {
  return {
    ...fromProtoPriceKey(price),
    price: fromProtoPrice(price.price),
    source: "operator",
  };
}

/** Reads what identifies a price. */
export function fromProtoPriceKey(
  key: Pick<proto.ModelPrice, "model" | "provider" | "effectiveTime">,
): PriceKey {
  const timeMs = fromProtoTime(key.effectiveTime);
  const effectiveTimeMs = timeMs === MIN_TIME_MS ? null : timeMs;
  return { model: key.model, provider: key.provider, effectiveTimeMs };
}

/** Reads one entry, as {@link fromProtoDocument} does. */
export function fromProtoBudget(budget: proto.Budget): Budget {
  return {
    ...fromProtoBudgetTerms(budget),
    budgetId: budget.budgetId,
    scope: enums.BUDGET_SCOPES[budget.scope],
    subject: budget.subject,
    expireTimeMs: fromProtoTime(budget.expireTime),
    active: budget.active ?? true,
  };
}

function fromProtoBudgetTerms(budget: proto.Budget | proto.DefaultBudget) {
  return {
    measure: enums.BUDGET_MEASURES[budget.measure],
    limit: budget.limit ?? null,
    window: fromProtoWindow(budget.window),
    enforcement: enums.BUDGET_ENFORCEMENTS[budget.enforcement],
    alertPercents: [...new Set(budget.alertPercents)].sort((a, b) => a - b),
    onUnavailable: enums.ON_UNAVAILABLES[budget.onUnavailable],
  };
}

function fromProtoWindow(window: ProtoBudgetWindow | undefined): BudgetWindow {
  const { kind = 0, timeZone = "", days = 0, anchorTime } = window ?? {};
  const anchorMs = fromProtoTime(anchorTime);
  return {
    kind: enums.BUDGET_WINDOW_KINDS[kind],
    timeZone: timeZone || "UTC",
    ...(days !== 0 && { days }),
    ...(anchorMs !== null && { anchorMs }),
  };
}

/** Reads one set of settings, as {@link fromProtoDocument} does. */
export function fromProtoSettings(settings: proto.Settings): SettingsValues {
  const requestLogLevel = enums.REQUEST_LOG_LEVELS[settings.requestLogLevel];
  const unpricedModelPolicy = enums.UNPRICED_MODEL_POLICIES[settings.unpricedModelPolicy];
  const { maxRequestBodySize, maxResponseBodySize } = settings;
  const headers = new Set(settings.sensitiveHeaders.map((header) => header.toLowerCase()));
  return {
    ...(requestLogLevel !== undefined && { requestLogLevel }),
    ...(headers.size > 0 && { sensitiveHeaders: [...headers].sort() }),
    ...(maxRequestBodySize !== undefined && { maxRequestBodySize }),
    ...(maxResponseBodySize !== undefined && { maxResponseBodySize }),
    ...(unpricedModelPolicy !== undefined && { unpricedModelPolicy }),
    ...fromProtoRetention(settings),
    ...(settings.autoProvision && {
      autoProvision: fromProtoAutoProvision(settings.autoProvision),
    }),
  };
}

function fromProtoAutoProvision(given: proto.AutoProvision): AutoProvision {
  const fromProtoDefault = (budget: proto.DefaultBudget) => ({
    ...fromProtoBudgetTerms(budget),
    name: budget.name,
  });
  return {
    users: given.users,
    apiKeys: given.apiKeys,
    userBudgets: given.userBudgets.map(fromProtoDefault),
    apiKeyBudgets: given.apiKeyBudgets.map(fromProtoDefault),
    maxPerMinute: given.maxPerMinute ?? DEFAULT_MAX_PER_MINUTE,
  };
}

function fromProtoRetention(settings: proto.Settings): SettingsValues {
  const { bodyRetentionDays, headerRetentionDays, recordRetentionDays, keyRetentionDays } =
    settings;
  return {
    ...(bodyRetentionDays !== undefined && { bodyRetentionDays }),
    ...(headerRetentionDays !== undefined && { headerRetentionDays }),
    ...(recordRetentionDays !== undefined && { recordRetentionDays }),
    ...(keyRetentionDays !== undefined && { keyRetentionDays }),
  };
}

function fromProtoNames(names: readonly string[]): ReadonlySet<string> | undefined {
  return names.length === 0 ? undefined : new Set(names);
}

/** Milliseconds since 1970; null for what is not given. */
export function fromProtoTime(time: Timestamp | undefined): number | null {
  return time === undefined ? null : toMs(time);
}

function fromProtoDuration(duration: Duration | undefined): number | null {
  return duration === undefined ? null : toMs(duration);
}

function toMs({ seconds, nanos }: Timestamp | Duration): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1_000_000);
}
