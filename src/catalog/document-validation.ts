import { type FieldViolation, violation } from "../errors.js";
import { DecimalError } from "../pricing/money.js";
import { priceViolations } from "../pricing/price-validation.js";
import { parseRateMultiplier } from "../pricing/rate-multiplier.js";
import { isValidTimeZone } from "../quota/time-zone.js";
import { type BudgetMeaning, budgetViolations } from "./budget-validation.js";
import type { CatalogDocument, DocumentCollection, DocumentEntry } from "./document.js";
import { COLLECTION_FORMATS } from "./entry-json.js";
import { autoProvisionViolations } from "./provision-validation.js";
import { timeViolations } from "./time-validation.js";
import type { ApiKey, PriceEntry, ProviderKey } from "./types.js";

/** What exists already, as far as a document refers to it or changes it. */
export interface ExistingEntries {
  readonly userIds: ReadonlySet<string>;
  readonly providers: ReadonlySet<string>;
  /** The provider of each endpoint, by endpoint id. */
  readonly providerOfEndpoint: ReadonlyMap<string, string>;
  /** Budgets by id, those among them that are deleted and whose figures stay. */
  readonly budgets: ReadonlyMap<string, BudgetMeaning>;
}

/** The fields that identify an entry. */
const ID_FIELDS: Readonly<Record<DocumentCollection, string>> = {
  users: "user_id",
  apiKeys: "api_key_id",
  providers: "provider",
  providerEndpoints: "provider_endpoint_id",
  providerKeys: "provider_key_id",
  models: "model",
  // Model, provider and effective_time together.
  prices: "",
  budgets: "budget_id",
};

/**
 * Everything that is wrong with a document beyond the rules of the contract, in its order: what
 * contradicts itself, names something that is nowhere, or would change what a budget's spend means.
 */
export function documentViolations(
  document: CatalogDocument,
  existing: ExistingEntries,
): FieldViolation[] {
  const known = withDocument(existing, document);
  const isTimeZone = rememberAnswers(isValidTimeZone);
  return [
    ...duplicateViolations(document),
    ...document.users.flatMap((user, index) =>
      timeViolations(`document.users[${index}].expire_time`, user.expireTimeMs),
    ),
    ...document.apiKeys.flatMap((key, index) => apiKeyViolations(key, index, known)),
    ...document.providerEndpoints.flatMap(({ provider }, index) =>
      unknownProvider(`document.provider_endpoints[${index}]`, provider, known),
    ),
    ...document.providerKeys.flatMap((key, index) => providerKeyViolations(key, index, known)),
    ...document.prices.flatMap(priceEntryViolations),
    ...document.budgets.flatMap((budget, index) =>
      budgetViolations(budget, {
        path: `document.budgets[${index}]`,
        existing: existing.budgets.get(budget.budgetId),
        isTimeZone,
      }),
    ),
    ...autoProvisionViolations(document.settings.autoProvision, {
      path: "document.settings.auto_provision",
      isTimeZone,
    }),
  ];
}

/** A zone costs up to 0.1 ms to look up, and thousands of budgets share a few. */
function rememberAnswers(ask: (name: string) => boolean): (name: string) => boolean {
  const answers = new Map<string, boolean>();
  return (name) => {
    const answer = answers.get(name) ?? ask(name);
    answers.set(name, answer);
    return answer;
  };
}

type KnownIds = Omit<ExistingEntries, "budgets">;

/** What will exist once the document is applied. */
function withDocument(existing: ExistingEntries, document: CatalogDocument): KnownIds {
  const endpoints = document.providerEndpoints;
  return {
    userIds: new Set([...existing.userIds, ...document.users.map(({ userId }) => userId)]),
    providers: new Set([
      ...existing.providers,
      ...document.providers.map(({ provider }) => provider),
    ]),
    providerOfEndpoint: new Map([
      ...existing.providerOfEndpoint,
      ...endpoints.map(
        ({ providerEndpointId, provider }) => [providerEndpointId, provider] as const,
      ),
    ]),
  };
}

function duplicateViolations(document: CatalogDocument): FieldViolation[] {
  const collections = Object.keys(ID_FIELDS) as DocumentCollection[];
  return collections.flatMap((collection) => duplicatesIn(collection, document[collection]));
}

function duplicatesIn<C extends DocumentCollection>(
  collection: C,
  entries: readonly DocumentEntry<C>[],
): FieldViolation[] {
  const { name, idOf } = COLLECTION_FORMATS[collection];
  const firstIndexes = new Map<string, number>();
  const found: FieldViolation[] = [];
  for (const [index, entry] of entries.entries()) {
    const id = idOf(entry);
    const first = firstIndexes.get(id);
    if (first === undefined) {
      firstIndexes.set(id, index);
      continue;
    }
    const field = [`document.${name}[${index}]`, ID_FIELDS[collection]].filter(Boolean).join(".");
    found.push(violation(field, id, `must not be given twice, ${name}[${first}] is the same`));
  }
  return found;
}

function apiKeyViolations(key: ApiKey, index: number, known: KnownIds): FieldViolation[] {
  const path = `document.api_keys[${index}]`;
  const found = timeViolations(`${path}.expire_time`, key.expireTimeMs);
  if (key.userId === "") {
    if (key.kind === "ORDINARY") {
      found.push(violation(`${path}.user_id`, undefined, "is required for an ordinary key"));
    }
  } else if (!known.userIds.has(key.userId)) {
    const rule = "must be a user of the catalog or of the same request";
    found.push(violation(`${path}.user_id`, key.userId, rule));
  }
  return found;
}

function unknownProvider(path: string, provider: string, known: KnownIds): FieldViolation[] {
  if (known.providers.has(provider)) return [];
  const rule = "must be a provider of the catalog or of the same request";
  return [violation(`${path}.provider`, provider, rule)];
}

function providerKeyViolations(key: ProviderKey, index: number, known: KnownIds): FieldViolation[] {
  const path = `document.provider_keys[${index}]`;
  const found = unknownProvider(path, key.provider, known);
  if (key.providerEndpointId !== "") {
    const field = `${path}.provider_endpoint_id`;
    const provider = known.providerOfEndpoint.get(key.providerEndpointId);
    if (provider === undefined) {
      const rule = "must be a provider endpoint of the catalog or of the same request";
      found.push(violation(field, key.providerEndpointId, rule));
    } else if (provider !== key.provider) {
      const rule = "must be an endpoint of the key's own provider";
      found.push(violation(field, key.providerEndpointId, rule));
    }
  }
  try {
    parseRateMultiplier(key.rateMultiplier);
  } catch (error) {
    if (!(error instanceof DecimalError)) throw error;
    const rule = "must be a decimal from 0 to 1000 with at most 9 places";
    found.push(violation(`${path}.rate_multiplier`, key.rateMultiplier, rule));
  }
  return found;
}

function priceEntryViolations(entry: PriceEntry, index: number): FieldViolation[] {
  const path = `document.prices[${index}]`;
  const found = timeViolations(`${path}.effective_time`, entry.effectiveTimeMs);
  for (const { field, description } of priceViolations(entry.price)) {
    found.push({ field: `${path}.price.${field}`, description });
  }
  return found;
}
