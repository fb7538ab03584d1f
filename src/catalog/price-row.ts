import { parsePriceJson } from "../pricing/price-json.js";
import { fromPriceKeyColumns } from "./column-values.js";
import type { ModelPrice, PriceSource } from "./types.js";

/** A row of model_prices. */
export interface PriceRow {
  readonly model: string;
  readonly provider: string;
  readonly effective_time: Date;
  readonly price: unknown;
  readonly source: PriceSource;
  readonly version: bigint;
}

/** The columns of {@link PriceRow}. */
export const PRICE_COLUMNS = [
  "model",
  "provider",
  "effective_time",
  "price",
  "source",
  "version",
] as const satisfies readonly (keyof PriceRow)[];

/** @throws PriceFormatError on a price that only a hand-made row can hold */
export function fromPriceRow(row: PriceRow): ModelPrice {
  const price = parsePriceJson(row.price);
  return { ...fromPriceKeyColumns(row), price, source: row.source, version: row.version };
}
