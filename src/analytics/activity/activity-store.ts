import type { Database } from "../../database/database.js";
import { withRetry } from "../../database/retry.js";
import type { TimeRange } from "../question.js";
import { usageRows } from "../usage-rows.js";
import type { DayFigures } from "./activity.js";

/** Sums of days, out of rollups. */
export interface ActivityStore {
  /** Figures by the index of their day; days without any are left out. One query. */
  readDays(userId: string, days: readonly TimeRange[]): Promise<Map<number, DayFigures>>;
}

/** Makes the store. */
export function createActivityStore({ knex }: Pick<Database, "knex">): ActivityStore {
  return {
    async readDays(userId, days) {
      const filters = { userId, apiKeyId: "", provider: "", model: "" };
      const rows = usageRows({ filters, dimensions: [], periods: days }, { withSketches: false });
      const text = `
  select period, sum_bigint(requests) as requests,
    sum_bigint(requests) filter (where failed) as failures,
    sum_bigint(input_tokens + output_tokens + cache_creation_tokens + cache_read_tokens)
      as "totalTokens",
    sum_bigint(cost_input + cost_output + cost_cache_creation + cost_cache_read + cost_request)
      as cost,
    sum_bigint(actual_cost) as "actualCost"
  from (
    ${rows.text}
  ) u
  group by period`;
      const found = await withRetry(() => knex.raw(text, rows.values as unknown as string[]));
      return new Map(
        (found.rows as (DayFigures & { period: number })[]).map(({ period, ...day }) => [
          period,
          day,
        ]),
      );
    },
  };
}
