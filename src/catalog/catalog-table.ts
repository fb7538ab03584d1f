/** A column's value on its way to `json_to_recordset`; bigint and times as text. */
export type ColumnValue = string | number | boolean | null | readonly (string | number)[] | object;

/** How a collection lies in its table. Names and types come from here alone, never from callers. */
export interface CatalogTable<T, Row> {
  readonly name: string;
  /** The column that identifies an entry. */
  readonly key: string & keyof Row;
  /** PostgreSQL type of every column of an entry, the key's included. */
  readonly columns: Readonly<Record<string & keyof Row, string>>;
  readonly toRow: (entry: T) => Record<keyof Row, ColumnValue>;
  /** @throws on what only a hand-made row can hold, for instance a price that is none */
  readonly fromRow: (row: Row) => T;
}

/** A row that does not make an entry. */
export interface UnreadableRow {
  readonly table: string;
  readonly id: string;
  readonly cause: unknown;
}

/** What was read of a table. */
export interface TableRows<T> {
  /** Sorted by key, by bytes. */
  readonly entries: readonly T[];
  readonly unreadable: readonly UnreadableRow[];
}

/** Reads rows into entries; what cannot be read is set apart. */
export function readRows<T, Row>(
  rows: readonly Row[],
  read: (row: Row) => T,
  describe: (row: Row) => Omit<UnreadableRow, "cause">,
): TableRows<T> {
  const entries: T[] = [];
  const unreadable: UnreadableRow[] = [];
  for (const row of rows) {
    try {
      entries.push(read(row));
    } catch (cause) {
      unreadable.push({ ...describe(row), cause });
    }
  }
  return { entries, unreadable };
}
