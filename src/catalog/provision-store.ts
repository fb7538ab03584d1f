import type { Knex } from "knex";
import { apiKeyTable } from "./api-key-table.js";
import { budgetTable } from "./budget-table.js";
import { readEntries, upsertEntries } from "./catalog-store.js";
import type { ProvisionedEntries } from "./provision.js";
import { userTable } from "./user-table.js";

/** The entries with these ids, as far as they exist, and every budget on these subjects. */
export async function readProvisioned(
  trx: Knex.Transaction,
  ids: {
    readonly userIds: readonly string[];
    readonly apiKeyIds: readonly string[];
    readonly budgetIds: readonly string[];
  },
): Promise<ProvisionedEntries> {
  const { userIds, apiKeyIds, budgetIds } = ids;
  const { rows } = await trx.raw<{ rows: { budget_id: string }[] }>(
    `select budget_id from budgets
     where scope = 'USER' and subject = any(?) or scope = 'API_KEY' and subject = any(?)`,
    [[...userIds], [...apiKeyIds]],
  );
  const onSubjects = rows.map(({ budget_id }) => budget_id);
  return {
    users: (await readEntries(trx, userTable, userIds)).entries,
    apiKeys: (await readEntries(trx, apiKeyTable, apiKeyIds)).entries,
    budgets: (await readEntries(trx, budgetTable, [...budgetIds, ...onSubjects])).entries,
  };
}

/**
 * Writes new entries, budgets first: replicas hear of tables in the order in which they were
 * written, and one that knew a user without its budgets would let it spend without limit.
 */
export async function insertProvisioned(
  trx: Knex.Transaction,
  { users, apiKeys, budgets }: ProvisionedEntries,
): Promise<void> {
  await upsertEntries(trx, budgetTable, budgets);
  await upsertEntries(trx, userTable, users);
  await upsertEntries(trx, apiKeyTable, apiKeys);
}
