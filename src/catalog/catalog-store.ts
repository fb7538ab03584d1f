import type { Knex } from "knex";
import { type CatalogTable, readRows, type TableRows } from "./catalog-table.js";

/** Any number that nothing else locks: 'catalog' in ASCII. */
const CATALOG_LOCK = "27973175172951911";

/**
 * Lets one transaction at a time change the catalog by a document or an import, until it ends.
 * Each thus compares with what the one before has left, and none deadlocks with another.
 */
export async function lockCatalog(trx: Knex.Transaction): Promise<void> {
  await trx.raw("select pg_advisory_xact_lock(?::bigint)", [CATALOG_LOCK]);
}

/** Reads a whole table. */
export function readTable<T, Row>(knex: Knex, table: CatalogTable<T, Row>): Promise<TableRows<T>> {
  return select(knex, table, "", []);
}

/** Reads the entries with these ids; those that do not exist are left out. */
export function readEntries<T, Row>(
  knex: Knex,
  table: CatalogTable<T, Row>,
  ids: readonly string[],
): Promise<TableRows<T>> {
  return select(knex, table, `where ${table.key} = any(?)`, [[...ids]]);
}

/** As `readEntries`, and keeps others from changing the entries until the transaction ends. */
export function lockEntries<T, Row>(
  trx: Knex.Transaction,
  table: CatalogTable<T, Row>,
  ids: readonly string[],
): Promise<TableRows<T>> {
  return select(trx, table, `where ${table.key} = any(?)`, [[...ids]], "for update");
}

/**
 * Makes entries exactly what is given, in one statement: new ones are inserted, changed ones
 * updated; an entry that is the same already keeps its update_time.
 *
 * @param entries - no two of them with the same key
 */
export async function upsertEntries<T, Row>(
  knex: Knex,
  table: CatalogTable<T, Row>,
  entries: readonly T[],
): Promise<void> {
  if (entries.length === 0) return;
  const names = Object.keys(table.columns);
  const types = Object.entries(table.columns).map(([name, type]) => `${name} ${type}`);
  const changing = names.filter((name) => name !== table.key);
  const current = changing.map((name) => `t.${name}`).join(", ");
  const wanted = changing.map((name) => `excluded.${name}`).join(", ");
  await knex.raw(
    `insert into ${table.name} as t (${names.join(", ")})
     select ${names.join(", ")} from json_to_recordset(?::json) as w (${types.join(", ")})
     order by ${table.key}
     on conflict (${table.key}) do update
       set (${changing.join(", ")}, update_time) = row (${wanted}, now())
       where (${current}) is distinct from (${wanted})`,
    [JSON.stringify(entries.map(table.toRow))],
  );
}

/** Removes entries; ids that do not exist are no error. */
export async function deleteEntries<T, Row>(
  trx: Knex.Transaction,
  table: CatalogTable<T, Row>,
  ids: readonly string[],
): Promise<void> {
  if (ids.length === 0) return;
  await trx.raw(`delete from ${table.name} where ${table.key} = any(?)`, [[...ids]]);
}

async function select<T, Row>(
  knex: Knex,
  table: CatalogTable<T, Row>,
  where: string,
  bindings: string[][],
  locking: "" | "for update" = "",
): Promise<TableRows<T>> {
  const names = Object.keys(table.columns).join(", ");
  const { rows } = await knex.raw<{ rows: Row[] }>(
    `select ${names} from ${table.name} ${where} order by ${table.key} ${locking}`,
    bindings,
  );
  const describe = (row: Row) => ({ table: table.name, id: String(row[table.key]) });
  return readRows(rows, table.fromRow, describe);
}
