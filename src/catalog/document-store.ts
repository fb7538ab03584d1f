import type { Knex } from "knex";
import { apiKeyTable } from "./api-key-table.js";
import { budgetTable } from "./budget-table.js";
import type { BudgetMeaning } from "./budget-validation.js";
import { deleteEntries, lockEntries, readEntries, upsertEntries } from "./catalog-store.js";
import type { CatalogTable } from "./catalog-table.js";
import type { CatalogDocument, DocumentCollection } from "./document.js";
import { isStorable, referencesOf } from "./document-references.js";
import type { ExistingEntries } from "./document-validation.js";
import { COLLECTION_FORMATS } from "./entry-json.js";
import { modelTable } from "./model-table.js";
import { deletePrices, readPricesOfModels, writePrices } from "./price-store.js";
import { providerEndpointTable } from "./provider-endpoint-table.js";
import { providerKeyTable } from "./provider-key-table.js";
import { providerTable } from "./provider-table.js";
import { readSettings, writeSettings } from "./settings-store.js";
import { userTable } from "./user-table.js";

/**
 * Reads the entries that a document names, as far as they exist and can be read, and every
 * price of the models that it prices.
 *
 * @param locking - keep others from changing them until the transaction ends. Locks are taken
 *   table by table in the contract's order, within a table by key; prices need none, since only
 *   who holds the catalog's lock writes them.
 */
export async function readDocumentState(
  trx: Knex.Transaction,
  document: CatalogDocument,
  { locking }: { readonly locking: boolean },
): Promise<CatalogDocument> {
  const select = locking ? lockEntries : readEntries;
  async function read<T, Row>(table: CatalogTable<T, Row>, ids: readonly string[]) {
    return ids.length === 0 ? [] : (await select(trx, table, ids)).entries;
  }
  return {
    users: await read(userTable, idsIn("users", document)),
    apiKeys: await read(apiKeyTable, idsIn("apiKeys", document)),
    providers: await read(providerTable, idsIn("providers", document)),
    providerEndpoints: await read(providerEndpointTable, idsIn("providerEndpoints", document)),
    providerKeys: await read(providerKeyTable, idsIn("providerKeys", document)),
    models: await read(modelTable, idsIn("models", document)),
    prices: await readPricesFor(trx, document),
    budgets: await read(budgetTable, idsIn("budgets", document)),
    settings: (await readSettings(trx)).values,
  };
}

/** Reads what a document refers to beyond the entries that it names. */
export async function readExistingEntries(
  trx: Knex.Transaction,
  document: CatalogDocument,
  state: CatalogDocument,
): Promise<ExistingEntries> {
  const references = referencesOf(document);
  const users = await readEntries(trx, userTable, references.userIds);
  const providers = await readEntries(trx, providerTable, references.providers);
  const endpoints = await readEntries(trx, providerEndpointTable, references.providerEndpointIds);
  return {
    userIds: new Set(users.entries.map(({ userId }) => userId)),
    providers: new Set(providers.entries.map(({ provider }) => provider)),
    providerOfEndpoint: new Map(
      endpoints.entries.map(({ providerEndpointId, provider }) => [providerEndpointId, provider]),
    ),
    budgets: new Map([
      ...(await readRetiredBudgets(trx, document)),
      ...state.budgets.map((budget) => [budget.budgetId, budget] as const),
    ]),
  };
}

/** What the figures of deleted budgets mean, of which the document brings some back. */
async function readRetiredBudgets(
  trx: Knex.Transaction,
  document: CatalogDocument,
): Promise<(readonly [string, BudgetMeaning])[]> {
  if (document.budgets.length === 0) return [];
  const { rows } = await trx.raw<{ rows: (BudgetMeaning & { budget_id: string })[] }>(
    "select budget_id, scope, subject, measure from retired_budgets where budget_id = any(?)",
    [idsIn("budgets", document)],
  );
  return rows.map(({ budget_id, ...meaning }) => [budget_id, meaning] as const);
}

/** Writes every entry of a document, one statement a collection, in the contract's order. */
export async function writeDocument(
  trx: Knex.Transaction,
  document: CatalogDocument,
): Promise<void> {
  await upsertEntries(trx, userTable, document.users);
  await upsertEntries(trx, apiKeyTable, document.apiKeys);
  await upsertEntries(trx, providerTable, document.providers);
  await upsertEntries(trx, providerEndpointTable, document.providerEndpoints);
  await upsertEntries(trx, providerKeyTable, document.providerKeys);
  await upsertEntries(trx, modelTable, document.models);
  await writePrices(trx, document.prices);
  await upsertEntries(trx, budgetTable, document.budgets);
  await writeSettings(trx, document.settings);
}

/** Removes every entry of a document; settings stay. */
export async function deleteDocument(
  trx: Knex.Transaction,
  document: CatalogDocument,
): Promise<void> {
  await deleteEntries(trx, userTable, idsIn("users", document));
  await deleteEntries(trx, apiKeyTable, idsIn("apiKeys", document));
  await deleteEntries(trx, providerTable, idsIn("providers", document));
  await deleteEntries(trx, providerEndpointTable, idsIn("providerEndpoints", document));
  await deleteEntries(trx, providerKeyTable, idsIn("providerKeys", document));
  await deleteEntries(trx, modelTable, idsIn("models", document));
  await deletePrices(trx, document.prices);
  await deleteEntries(trx, budgetTable, idsIn("budgets", document));
}

async function readPricesFor(trx: Knex.Transaction, { prices }: CatalogDocument) {
  if (prices.length === 0) return [];
  const models = new Set(prices.map(({ model }) => model));
  return (await readPricesOfModels(trx, [...models].filter(isStorable))).entries;
}

function idsIn<C extends DocumentCollection>(collection: C, document: CatalogDocument): string[] {
  const { idOf } = COLLECTION_FORMATS[collection];
  const entries: readonly CatalogDocument[C][number][] = document[collection];
  return entries.map(idOf).filter(isStorable);
}
