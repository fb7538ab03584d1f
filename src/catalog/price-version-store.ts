import type { Knex } from "knex";
import type { PriceVersion } from "../pricing/price.js";
import { parsePriceJson } from "../pricing/price-json.js";
import { readRows, type TableRows } from "./catalog-table.js";
import { fromPriceKeyColumns } from "./column-values.js";
import { toPriceVersion } from "./price-id.js";

interface PriceVersionRow {
  readonly version: bigint;
  readonly model: string;
  readonly provider: string;
  readonly effective_time: Date;
  readonly price: unknown;
}

/** Reads contents that prices have or had, by version number; unknown numbers are left out. */
export async function readPriceVersions(
  knex: Knex,
  versions: readonly bigint[],
): Promise<TableRows<PriceVersion>> {
  const { rows } = await knex.raw<{ rows: PriceVersionRow[] }>(
    `select version, model, provider, effective_time, price from price_versions
     where version = any(?::bigint[])`,
    [versions.map(String)],
  );
  return readRows(rows, fromRow, ({ version }) => ({
    table: "price_versions",
    id: version.toString(),
  }));
}

function fromRow(row: PriceVersionRow): PriceVersion {
  const { version, price } = row;
  return toPriceVersion({ ...fromPriceKeyColumns(row), version, price: parsePriceJson(price) });
}
