import type { CatalogDocument, DocumentCollection, DocumentEntry } from "./document.js";
import type { ApiKey, BudgetScope, ProviderKey } from "./types.js";

/** A document that names nothing. */
export const EMPTY_DOCUMENT: CatalogDocument = {
  users: [],
  apiKeys: [],
  providers: [],
  providerEndpoints: [],
  providerKeys: [],
  models: [],
  prices: [],
  budgets: [],
  settings: {},
};

/** A document of one entry. */
export function documentOf<C extends DocumentCollection>(
  collection: C,
  entry: DocumentEntry<C>,
): CatalogDocument {
  return { ...EMPTY_DOCUMENT, [collection]: [entry] };
}

/** What stands in the way when an entry goes. */
export interface Dependents {
  /** What goes with it. */
  readonly removed: CatalogDocument;
  /** What stays and forgets it, as it becomes. */
  readonly detached: CatalogDocument;
}

/** Asks for entries that refer to others. */
export interface DependentsReader {
  apiKeysOf(userId: string): Promise<readonly ApiKey[]>;
  providerKeysAt(providerEndpointId: string): Promise<readonly ProviderKey[]>;
  entriesOfProvider(
    provider: string,
  ): Promise<Pick<CatalogDocument, "providerEndpoints" | "providerKeys" | "prices">>;
  pricesOf(model: string): Promise<CatalogDocument["prices"]>;
  budgetsOn(scope: BudgetScope, subjects: readonly string[]): Promise<CatalogDocument["budgets"]>;
}

type Finder<C extends DocumentCollection> = (
  entry: DocumentEntry<C>,
  read: DependentsReader,
) => Promise<Dependents>;

const NONE: Dependents = { removed: EMPTY_DOCUMENT, detached: EMPTY_DOCUMENT };

/** What depends on an entry of each collection, and what becomes of it when the entry goes. */
export const DEPENDENTS: { readonly [C in DocumentCollection]: Finder<C> } = {
  async users({ userId }, read) {
    const keys = await read.apiKeysOf(userId);
    // A standalone key holds a balance that somebody paid; its creator is only a name to it.
    const ordinary = keys.filter(({ kind }) => kind === "ORDINARY");
    const standalone = keys.filter(({ kind }) => kind === "STANDALONE");
    const keyIds = ordinary.map(({ apiKeyId }) => apiKeyId);
    const budgets = [
      ...(await read.budgetsOn("USER", [userId])),
      ...(await read.budgetsOn("API_KEY", keyIds)),
    ];
    return {
      removed: { ...EMPTY_DOCUMENT, apiKeys: ordinary, budgets },
      detached: {
        ...EMPTY_DOCUMENT,
        apiKeys: standalone.map((key) => ({ ...key, userId: "" })),
      },
    };
  },
  async apiKeys({ apiKeyId }, read) {
    return { ...NONE, removed: await onlyBudgets(read.budgetsOn("API_KEY", [apiKeyId])) };
  },
  async providers({ provider }, read) {
    const budgets = await read.budgetsOn("PROVIDER", [provider]);
    const entries = await read.entriesOfProvider(provider);
    return { ...NONE, removed: { ...EMPTY_DOCUMENT, ...entries, budgets } };
  },
  async providerEndpoints({ providerEndpointId }, read) {
    const keys = await read.providerKeysAt(providerEndpointId);
    const providerKeys = keys.map((key) => ({ ...key, providerEndpointId: "" }));
    return { ...NONE, detached: { ...EMPTY_DOCUMENT, providerKeys } };
  },
  providerKeys: async () => NONE,
  async models({ model }, read) {
    const budgets = await read.budgetsOn("MODEL", [model]);
    return { ...NONE, removed: { ...EMPTY_DOCUMENT, prices: await read.pricesOf(model), budgets } };
  },
  prices: async () => NONE,
  budgets: async () => NONE,
};

async function onlyBudgets(budgets: Promise<CatalogDocument["budgets"]>): Promise<CatalogDocument> {
  return { ...EMPTY_DOCUMENT, budgets: await budgets };
}
