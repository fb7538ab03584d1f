/** The tables of the catalog, by the names that notifications carry. */
export const CATALOG_TABLES = [
  "users",
  "api_keys",
  "providers",
  "provider_endpoints",
  "provider_keys",
  "models",
  "model_prices",
  "budgets",
  "settings",
] as const;

/** Name of a catalog table. */
export type CatalogTableName = (typeof CATALOG_TABLES)[number];

/** Ids of entries; of model_prices the models' names. Null: all of the table. */
export type RowIds = ReadonlySet<string> | null;

/** Entries of several tables. */
export type CatalogRows = ReadonlyMap<CatalogTableName, RowIds>;

/** Every entry of every table. */
export const ALL_ROWS: CatalogRows = new Map(CATALOG_TABLES.map((table) => [table, null]));

/** The entries of both. */
export function mergeRows(a: CatalogRows, b: CatalogRows): CatalogRows {
  const merged = new Map(a);
  for (const [table, ids] of b) {
    const known = merged.get(table);
    const isAll = ids === null || known === null;
    merged.set(table, isAll ? null : new Set([...(known ?? []), ...ids]));
  }
  return merged;
}

/**
 * Reads a notification, `{"table": …, "ids": […] | null}`. What makes no sense, as from a newer
 * release's table, is undefined.
 */
export function parseNotification(payload: string): CatalogRows | undefined {
  let json: unknown;
  try {
    json = JSON.parse(payload);
  } catch {
    return undefined;
  }
  const { table, ids } = (json ?? {}) as { readonly table?: unknown; readonly ids?: unknown };
  const name = CATALOG_TABLES.find((candidate) => candidate === table);
  if (name === undefined) return undefined;
  return new Map([[name, Array.isArray(ids) ? new Set(ids.map(String)) : null]]);
}
