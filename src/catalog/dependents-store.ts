import type { Knex } from "knex";
import type { DependentsReader } from "./dependents.js";
import type { DocumentCollection } from "./document.js";
import { type EntryFilter, listEntries } from "./entry-store.js";
import { ENTRY_TABLES, type EntryTable, type StoredEntry } from "./entry-table.js";

/** Reads what refers to an entry. */
export function createDependentsReader(trx: Knex.Transaction): DependentsReader {
  async function read<C extends DocumentCollection>(
    collection: C,
    ...filters: EntryFilter[]
  ): Promise<StoredEntry<C>[]> {
    const table: EntryTable<StoredEntry<C>> = ENTRY_TABLES[collection];
    return (await listEntries(trx, table, { filters })).map(({ entry }) => entry);
  }

  return {
    apiKeysOf: (userId) => read("apiKeys", ["user_id", userId]),
    providerKeysAt: (endpointId) => read("providerKeys", ["provider_endpoint_id", endpointId]),
    entriesOfProvider: async (provider) => ({
      providerEndpoints: await read("providerEndpoints", ["provider", provider]),
      providerKeys: await read("providerKeys", ["provider", provider]),
      prices: await read("prices", ["provider", provider]),
    }),
    pricesOf: (model) => read("prices", ["model", model]),
    budgetsOn: async (scope, subjects) =>
      subjects.length === 0 ? [] : read("budgets", ["scope", scope], ["subject", subjects]),
  };
}
