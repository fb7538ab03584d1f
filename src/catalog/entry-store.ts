import type { Knex } from "knex";
import type { EntryTable } from "./entry-table.js";

/** An entry and when it was made. */
export interface EntryRow<T> {
  readonly entry: T;
  /** Microseconds since 1970. */
  readonly createTimeUs: bigint;
  /** Microseconds since 1970. */
  readonly updateTimeUs: bigint;
}

/** A column and what it must be, or one of what it must be. */
export type EntryFilter = readonly [column: string, value: string | boolean | readonly string[]];

/** Which entries to read. */
export interface EntryQuery {
  readonly filters: readonly EntryFilter[];
  /** Only those after the one with this key. Undefined: from the first. */
  readonly after?: readonly string[] | undefined;
  /** Undefined: all. */
  readonly limit?: number;
}

interface TimeColumns {
  readonly create_time_us: bigint;
  readonly update_time_us: bigint;
}

/**
 * Reads one entry; undefined if there is none.
 *
 * @param locking - keep others from changing it until the transaction ends
 */
export async function readEntry<T>(
  knex: Knex,
  table: EntryTable<T>,
  key: readonly string[],
  { locking = false }: { readonly locking?: boolean } = {},
): Promise<EntryRow<T> | undefined> {
  const where = table.keys.map((name) => `${name} = ?`).join(" and ");
  const rows = await select(knex, table, `where ${where} ${locking ? "for update" : ""}`, [...key]);
  return rows[0];
}

/** Reads entries in the order of their keys. */
export function listEntries<T>(
  knex: Knex,
  table: EntryTable<T>,
  { filters, after, limit }: EntryQuery,
): Promise<EntryRow<T>[]> {
  const conditions = filters.map(([column, value]) =>
    Array.isArray(value) ? `${column} = any(?)` : `${column} = ?`,
  );
  const bindings: unknown[] = filters.map(([, value]) => value);
  const keys = table.keys.join(", ");
  if (after !== undefined) {
    conditions.push(`(${keys}) > (${table.keys.map(() => "?").join(", ")})`);
    bindings.push(...after);
  }
  const where = conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`;
  const end = limit === undefined ? "" : `limit ${limit}`;
  return select(knex, table, `${where} order by ${keys} ${end}`, bindings);
}

async function select<T>(
  knex: Knex,
  table: EntryTable<T>,
  rest: string,
  bindings: readonly unknown[],
): Promise<EntryRow<T>[]> {
  const { rows } = await knex.raw<{ rows: TimeColumns[] }>(
    `select ${table.columns.join(", ")}, ${microseconds("create_time")} as create_time_us,
       ${microseconds("update_time")} as update_time_us
     from ${table.name} ${rest}`,
    bindings as Knex.RawBinding[],
  );
  return rows.map((row) => ({
    entry: table.fromRow(row),
    createTimeUs: row.create_time_us,
    updateTimeUs: row.update_time_us,
  }));
}

function microseconds(column: string): string {
  return `(extract(epoch from ${column}) * 1000000)::bigint`;
}
