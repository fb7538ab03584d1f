import { createBudgetIndex } from "./budget-index.js";
import { resolveSettings, type Settings } from "./settings.js";
import type {
  ApiKey,
  Budget,
  BudgetScope,
  Model,
  Provider,
  ProviderEndpoint,
  ProviderKey,
  User,
} from "./types.js";

/** The catalog in memory, for paths that cannot wait. Every answer is immediate. */
export interface CatalogDirectory {
  /** Settings as they apply; the defaults until the database was read. */
  readonly settings: Settings;
  user(userId: string): User | undefined;
  apiKey(apiKeyId: string): ApiKey | undefined;
  /** All of them, in no order. */
  apiKeys(): Iterable<ApiKey>;
  provider(provider: string): Provider | undefined;
  providerEndpoint(providerEndpointId: string): ProviderEndpoint | undefined;
  /** All of them, in no order. */
  providerEndpoints(): Iterable<ProviderEndpoint>;
  providerKey(providerKeyId: string): ProviderKey | undefined;
  model(model: string): Model | undefined;
  budget(budgetId: string): Budget | undefined;
  /**
   * Active budgets on one subject, sorted by id by code unit; empty when there are none. Frozen,
   * and the same list until one of them changes.
   */
  budgetsOf(scope: BudgetScope, subject: string): readonly Budget[];
}

/** What a directory holds, by collection. */
export interface CatalogEntries {
  readonly users: User;
  readonly apiKeys: ApiKey;
  readonly providers: Provider;
  readonly providerEndpoints: ProviderEndpoint;
  readonly providerKeys: ProviderKey;
  readonly models: Model;
  readonly budgets: Budget;
}

/** Name of a collection. */
export type CatalogCollection = keyof CatalogEntries;

/** The side of a directory that follows the database. */
export interface CatalogDirectoryWriter {
  /**
   * Takes new content of a collection; what is not in it is gone.
   *
   * @param ids - which entries the content is of. Default null: of all.
   * @returns the ids that are gone
   */
  replace<C extends CatalogCollection>(
    collection: C,
    entries: readonly CatalogEntries[C][],
    ids?: ReadonlySet<string> | null,
  ): string[];
  /** Adds entries, or replaces those with the same ids. */
  upsert<C extends CatalogCollection>(collection: C, entries: readonly CatalogEntries[C][]): void;
  /** Removes entries; unknown ids are no error. */
  remove(collection: CatalogCollection, ids: readonly string[]): void;
  replaceSettings(settings: Settings): void;
}

/** One collection's entries by id. */
interface Table<T> {
  readonly entries: Map<string, T>;
  readonly idOf: (entry: T) => string;
}

function createTable<T>(idOf: (entry: T) => string): Table<T> {
  return { entries: new Map(), idOf };
}

/** Makes an empty directory with the default settings. */
export function createCatalogDirectory(): CatalogDirectory & CatalogDirectoryWriter {
  const tables: { readonly [C in CatalogCollection]: Table<CatalogEntries[C]> } = {
    users: createTable((entry) => entry.userId),
    apiKeys: createTable((entry) => entry.apiKeyId),
    providers: createTable((entry) => entry.provider),
    providerEndpoints: createTable((entry) => entry.providerEndpointId),
    providerKeys: createTable((entry) => entry.providerKeyId),
    models: createTable((entry) => entry.model),
    budgets: createTable((entry) => entry.budgetId),
  };
  const budgetIndex = createBudgetIndex();
  let settings = resolveSettings({}, "");

  function upsert<C extends CatalogCollection>(
    collection: C,
    entries: readonly CatalogEntries[C][],
  ): void {
    const table: Table<CatalogEntries[C]> = tables[collection];
    for (const entry of entries) table.entries.set(table.idOf(entry), entry);
    if (collection === "budgets") budgetIndex.upsert(entries as readonly Budget[]);
  }

  function remove(collection: CatalogCollection, ids: readonly string[]): void {
    for (const id of ids) tables[collection].entries.delete(id);
    if (collection === "budgets") budgetIndex.remove(ids);
  }

  return {
    get settings() {
      return settings;
    },
    user: (id) => tables.users.entries.get(id),
    apiKey: (id) => tables.apiKeys.entries.get(id),
    apiKeys: () => tables.apiKeys.entries.values(),
    provider: (name) => tables.providers.entries.get(name),
    providerEndpoint: (id) => tables.providerEndpoints.entries.get(id),
    providerEndpoints: () => tables.providerEndpoints.entries.values(),
    providerKey: (id) => tables.providerKeys.entries.get(id),
    model: (name) => tables.models.entries.get(name),
    budget: (id) => tables.budgets.entries.get(id),
    budgetsOf: budgetIndex.budgetsOf,
    replace(collection, entries, ids = null) {
      const table = tables[collection];
      const there = new Set(entries.map((entry) => table.idOf(entry)));
      const gone = [...(ids ?? table.entries.keys())].filter((id) => !there.has(id));
      remove(collection, gone);
      upsert(collection, entries);
      return gone;
    },
    upsert,
    remove,
    replaceSettings(newSettings) {
      settings = newSettings;
    },
  };
}
