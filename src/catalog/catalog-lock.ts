import type { Knex } from "knex";

/** Any number that nothing else locks: 'catalog' in ASCII. */
const CATALOG_LOCK = "27973175172951911";

/**
 * Lets one transaction at a time change the catalog by a document or an import, until it ends.
 * Each thus compares with what the one before has left, and none deadlocks with another.
 */
export async function lockCatalog(trx: Knex.Transaction): Promise<void> {
  await trx.raw("select pg_advisory_xact_lock(?::bigint)", [CATALOG_LOCK]);
}
