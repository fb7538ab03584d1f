import type { Knex } from "knex";
import { formatPriceJson } from "../pricing/price-json.js";
import { readRows, type TableRows } from "./catalog-table.js";
import { fromPriceKeyColumns, toEffectiveTimeColumn } from "./column-values.js";
import { formatPriceId, type PriceKey } from "./price-id.js";
import { fromPriceRow, PRICE_COLUMNS, type PriceRow } from "./price-row.js";
import type { ModelPrice, PriceEntry } from "./types.js";

/** Reads every price; entries are sorted by model, provider and time. */
export function readPrices(knex: Knex): Promise<TableRows<ModelPrice>> {
  return select(knex, "", []);
}

/** Reads every price of these models. */
export function readPricesOfModels(
  knex: Knex,
  models: readonly string[],
): Promise<TableRows<ModelPrice>> {
  return select(knex, "where model = any(?)", [[...models]]);
}

/**
 * Makes prices exactly what is given, in one statement. A price that changes gets a new version.
 * `merge` rather than `insert … on conflict`, whose insert trigger would keep a version of every
 * price that turns out to be an update. Writers must hold the catalog's lock: `merge` neither locks
 * in order nor waits for an insert of the same key.
 *
 * @param prices - no two of them with the same key
 */
export async function writePrices(
  trx: Knex.Transaction,
  prices: readonly PriceEntry[],
): Promise<void> {
  if (prices.length === 0) return;
  await trx.raw(
    `merge into model_prices t
     using (select * from json_to_recordset(?::json) as w (
       model text, provider text, effective_time timestamptz, price jsonb, source text
     ) order by model, provider, effective_time) w
     on t.model = w.model and t.provider = w.provider and t.effective_time = w.effective_time
     when matched and (t.price, t.source) is distinct from (w.price, w.source) then
       update set price = w.price, source = w.source, update_time = now()
     when not matched then
       insert (model, provider, effective_time, price, source)
       values (w.model, w.provider, w.effective_time, w.price, w.source)`,
    [JSON.stringify(prices.map(toRow))],
  );
}

/** Removes prices; what they were stays in price_versions. */
export async function deletePrices(
  trx: Knex.Transaction,
  prices: readonly PriceKey[],
): Promise<void> {
  if (prices.length === 0) return;
  const keys = prices.map(({ model, provider, effectiveTimeMs }) => {
    return { model, provider, effective_time: toEffectiveTimeColumn(effectiveTimeMs) };
  });
  await trx.raw(
    `delete from model_prices where (model, provider, effective_time) in (
       select * from json_to_recordset(?::json) as w (
         model text, provider text, effective_time timestamptz))`,
    [JSON.stringify(keys)],
  );
}

async function select(
  knex: Knex,
  where: string,
  bindings: string[][],
): Promise<TableRows<ModelPrice>> {
  const { rows } = await knex.raw<{ rows: PriceRow[] }>(
    `select ${PRICE_COLUMNS.join(", ")} from model_prices ${where}
     order by model, provider, effective_time`,
    bindings,
  );
  return readRows(rows, fromPriceRow, (row) => ({
    table: "model_prices",
    id: formatPriceId(fromPriceKeyColumns(row)),
  }));
}

function toRow(price: PriceEntry) {
  return {
    model: price.model,
    provider: price.provider,
    effective_time: toEffectiveTimeColumn(price.effectiveTimeMs),
    price: JSON.parse(formatPriceJson(price.price)),
    source: price.source,
  };
}
