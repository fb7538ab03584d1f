/** Random valid documents over few ids, so that they meet each other's entries. */
import fc from "fast-check";
import type { CatalogDocument } from "../../src/catalog/document.js";
import type { DefaultBudget } from "../../src/catalog/provision.js";
import type { SettingsValues } from "../../src/catalog/settings.js";
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
} from "../../src/catalog/types.js";
import { prices } from "../pricing/arbitraries.js";

/** Any text that PostgreSQL stores: no NUL, no half of a surrogate pair. */
const texts = fc.string({ unit: "binary", maxLength: 12 }).map((text) => text.replaceAll("\0", ""));

const names = fc.oneof(
  texts,
  fc.constantFrom("gpt-4o", "a@b", "*", 'quoted "name"', "{a,b}", "null"),
);

const nameSets = fc
  .uniqueArray(names, { maxLength: 4 })
  .map((list) => (list.length === 0 ? undefined : new Set(list)));

/** Years 1 to 9999, in milliseconds. */
const times = fc.oneof(
  fc.integer({ min: -62_135_596_799_999, max: 253_402_300_799_999 }),
  fc.constantFrom(0, -1, 1_700_000_000_123, 253_402_300_799_999),
);

const timesOrNull = fc.option(times, { nil: null });

const ids = (prefix: string) => [`${prefix}1`, `${prefix}2`, `${prefix}é "\\${prefix}`];

/** Each of the ids at most once, with fields of its own. */
function entriesOf<T>(prefix: string, entryOf: (id: string) => fc.Arbitrary<T>): fc.Arbitrary<T[]> {
  return fc
    .shuffledSubarray(ids(prefix))
    .chain((chosen) => fc.tuple(...chosen.map(entryOf)) as fc.Arbitrary<T[]>);
}

const users = entriesOf<User>("user", (userId) =>
  fc.record({
    userId: fc.constant(userId),
    email: texts,
    username: texts,
    role: fc.constantFrom("USER", "ADMIN"),
    active: fc.boolean(),
    expireTimeMs: timesOrNull,
    allowedModels: nameSets,
    allowedProviders: nameSets,
  }),
);

/** Standalone ones name nobody: their users need not be in the document. */
const apiKeys = entriesOf<ApiKey>("key", (apiKeyId) =>
  fc.record({
    apiKeyId: fc.constant(apiKeyId),
    userId: fc.constant(""),
    kind: fc.constant("STANDALONE"),
    name: texts,
    active: fc.boolean(),
    expireTimeMs: timesOrNull,
    allowedModels: nameSets,
    allowedProviders: nameSets,
  }),
);

/** All of them, so that endpoints and keys always have theirs. */
const providers: fc.Arbitrary<Provider[]> = fc.tuple(
  ...ids("provider").map((name) =>
    fc.record({
      provider: fc.constant(name),
      displayName: texts,
      active: fc.boolean(),
      billingType: fc.constantFrom("PAY_AS_YOU_GO", "MONTHLY_QUOTA", "FREE_TIER"),
      failedRequestBilling: fc.constantFrom("USAGE", "NONE", "PROMPT_ONLY"),
    }),
  ),
) as fc.Arbitrary<Provider[]>;

const providerEndpoints = entriesOf<ProviderEndpoint>("endpoint", (providerEndpointId) =>
  fc.record({
    providerEndpointId: fc.constant(providerEndpointId),
    provider: fc.constantFrom(...ids("provider")),
    baseUrl: texts,
    apiFormat: texts,
    active: fc.boolean(),
    requestTimeoutMs: fc.option(fc.integer({ min: 1_000, max: 86_400_000 }), { nil: null }),
  }),
);

const providerKeys = entriesOf<ProviderKey>("provider key", (providerKeyId) =>
  fc.record({
    providerKeyId: fc.constant(providerKeyId),
    provider: fc.constantFrom(...ids("provider")),
    providerEndpointId: fc.constant(""),
    name: texts,
    rateMultiplier: fc.constantFrom("0", "1", "0.85", "1000", "0.000000001"),
    active: fc.boolean(),
  }),
);

const models = entriesOf<Model>("model", (model) =>
  fc.record({ model: fc.constant(model), displayName: texts, active: fc.boolean() }),
);

const priceEntries: fc.Arbitrary<PriceEntry[]> = fc.uniqueArray(
  fc.record({
    model: fc.constantFrom(...ids("model")),
    provider: fc.constantFrom("", "*", ...ids("provider")),
    effectiveTimeMs: fc.constantFrom(null, 0, 1_735_689_600_000, -62_135_596_799_999),
    price: prices,
    source: fc.constant("operator" as const),
  }),
  {
    selector: (entry) => `${entry.model}\n${entry.provider}\n${entry.effectiveTimeMs}`,
    maxLength: 6,
  },
);

const windows: fc.Arbitrary<BudgetWindow> = fc.oneof(
  fc.record({
    kind: fc.constantFrom("LIFETIME", "DAY", "WEEK", "MONTH"),
    timeZone: fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kathmandu"),
  }),
  fc.record({
    kind: fc.constant("EVERY_N_DAYS" as const),
    timeZone: fc.constantFrom("UTC", "America/St_Johns"),
    days: fc.integer({ min: 1, max: 3_660 }),
    anchorMs: times,
  }),
);

/** What a budget is on belongs to its id, since it may not change. */
const budgets = entriesOf<Budget>("budget", (budgetId) =>
  fc.record({
    budgetId: fc.constant(budgetId),
    scope: fc.constant("TAG"),
    subject: fc.constant(`team=${budgetId}`),
    measure: fc.constant("TOKENS"),
    limit: fc.option(fc.bigInt({ min: 0n, max: 10n ** 18n }), { nil: null }),
    window: windows,
    enforcement: fc.constantFrom("HARD", "SOFT"),
    alertPercents: fc
      .uniqueArray(fc.integer({ min: 1, max: 1_000 }), { maxLength: 4 })
      .map((list) => list.sort((a, b) => a - b)),
    expireTimeMs: timesOrNull,
    onUnavailable: fc.constantFrom("DENY", "ALLOW"),
    active: fc.boolean(),
  }),
);

function defaultBudgets(minLength: number): fc.Arbitrary<DefaultBudget[]> {
  const budget = fc.record<DefaultBudget>({
    name: fc.constantFrom("a", "b-2", "monthly"),
    measure: fc.constantFrom("COST", "TOKENS", "REQUESTS"),
    limit: fc.option(fc.bigInt({ min: 0n, max: 10n ** 18n }), { nil: null }),
    window: windows,
    enforcement: fc.constantFrom("HARD", "SOFT"),
    alertPercents: fc.constantFrom([], [80], [50, 1_000]),
    onUnavailable: fc.constantFrom("DENY", "ALLOW"),
  });
  return fc.uniqueArray(budget, { selector: ({ name }) => name, minLength, maxLength: 2 });
}

const settings: fc.Arbitrary<SettingsValues> = fc.record(
  {
    requestLogLevel: fc.constantFrom("BASIC", "HEADERS", "FULL"),
    sensitiveHeaders: fc.constantFrom(["x-a"], ["x-a", "x-b"]),
    maxRequestBodySize: fc.nat({ max: 16_777_216 }),
    maxResponseBodySize: fc.nat({ max: 16_777_216 }),
    unpricedModelPolicy: fc.constantFrom("DENY", "ALLOW"),
    bodyRetentionDays: fc.nat({ max: 36_500 }),
    headerRetentionDays: fc.nat({ max: 36_500 }),
    recordRetentionDays: fc.nat({ max: 36_500 }),
    keyRetentionDays: fc.integer({ min: 1, max: 36_500 }),
    autoProvision: fc.record({
      users: fc.boolean(),
      apiKeys: fc.boolean(),
      userBudgets: defaultBudgets(1),
      apiKeyBudgets: defaultBudgets(0),
      maxPerMinute: fc.integer({ min: 1, max: 60_000 }),
    }),
  },
  { requiredKeys: [] },
);

/** Documents that are valid whatever was applied before, if they come from here too. */
export const documents: fc.Arbitrary<CatalogDocument> = fc.record({
  users,
  apiKeys,
  providers,
  providerEndpoints,
  providerKeys,
  models,
  prices: priceEntries,
  budgets,
  settings,
});
