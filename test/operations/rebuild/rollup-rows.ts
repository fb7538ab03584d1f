import type { Database } from "../../../src/database/database.js";
import { SKETCH_NAMES, SUM_NAMES } from "../../../src/operations/checks/rollup-figures.js";

const KEY = `grain, user_id, bucket_time, api_key_id, provider, model, api_format, failed, tag,
  tags`;

/** Every rollup as text, over all slots, but those of zeros. */
export async function readRollups({ knex }: Pick<Database, "knex">): Promise<string[]> {
  const sums = SUM_NAMES.map((name) => `sum(${name})::text as ${name}`);
  const sketches = SKETCH_NAMES.map(
    (name) => `trim_scale(coalesce(sum(${name}), 0))::text as ${name}`,
  );
  const { rows } = await knex.raw(`
    select row_to_json(r)::text as row from (
      select ${KEY}, max(last_time)::text as last_time, ${[...sums, ...sketches].join(", ")}
      from usage_rollups group by ${KEY} having sum(attempts) <> 0 or sum(requests) <> 0
      order by ${KEY}
    ) r`);
  return rows.map(({ row }: { row: string }) => row);
}
