import { formatMicroseconds } from "../../usage/time.js";
import type { TimeRange, UsageFilters } from "../question.js";
import type { Sql } from "../usage-rows.js";

/** Which records are looked at: COMPLETED ones of a range, and perhaps of one user, key and so on. */
export interface RecordScope {
  readonly range: TimeRange;
  readonly filters: UsageFilters;
}

/** Conditions on a record `r`. */
export function recordConditions({ range, filters }: RecordScope): Sql {
  const conditions: Sql[] = [
    {
      text: "r.created_time >= ? and r.created_time < ? and r.status = 'COMPLETED'",
      values: [formatMicroseconds(range.startUs), formatMicroseconds(range.endUs)],
    },
  ];
  const columns = {
    user_id: filters.userId,
    api_key_id: filters.apiKeyId,
    provider: filters.provider,
    model: filters.model,
  };
  for (const [column, value] of Object.entries(columns)) {
    if (value !== "") conditions.push({ text: `r.${column} = ?`, values: [value] });
  }
  return {
    text: conditions.map(({ text }) => text).join(" and "),
    values: conditions.flatMap(({ values }) => values),
  };
}

/** Microseconds from the record before to this one, over a window; null for the first. */
export function gapOver(window: string): string {
  return `(extract(epoch from r.created_time - lag(r.created_time) over ${window})
      * 1000000)::bigint`;
}

/** The price that a record `r` was charged by; null for one that had none or was not charged. */
export const CHARGED_VERSION = `case when r.billing_note <> 'FAILED_REQUEST_NOT_BILLED'
        then r.price_version end`;
