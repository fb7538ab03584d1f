import { IS_FINISHED, type LedgerCheck } from "./ledger-check.js";
import { binned, SKETCH_NAMES, SKETCHES, SUM_NAMES, SUMS, TAG_SET_ID } from "./rollup-figures.js";

/** A list of SQL expressions, one for each figure. */
function each(
  ofSum: (name: string) => string,
  ofSketch: (name: string) => string = ofSum,
  separator = ", ",
): string {
  return [...SUM_NAMES.map(ofSum), ...SKETCH_NAMES.map(ofSketch)].join(separator);
}

/** What a row is about, beside its grain. */
const DIMENSIONS = {
  user_id: "user_id",
  bucket_time: "bucket_time",
  api_key_id: "api_key_id",
  provider: "provider",
  model: "model",
  api_format: "api_format",
  failed: "failed",
  tag: "tag",
  tags: "tags",
};

const KEY = Object.keys(DIMENSIONS).join(", ");

const NO_USERS = { user_id: "''", api_key_id: "''" };
const NO_OFFERING = { provider: "''", model: "''", api_format: "''" };
const NO_TAGS = { tag: "''", tags: "null::jsonb" };

const BY_HOUR = { bucket_time: binned("bucket_time", "1 hour") };
const BY_DAY = { bucket_time: binned("bucket_time", "1 day") };
const BY_MONTH = { bucket_time: "date_trunc('month', bucket_time, 'UTC')" };

/** The rows of one grain, all slots, less what they hold of purged records. */
function storedRows(grain: number): string {
  return `select ${KEY}, ${each(
    (name) => name,
    (name) => `coalesce(${name}, 0) as ${name}`,
  )} from usage_rollups where grain = ${grain}
    union all ${negatedRows("tally_purged.usage_rollups", {})} where grain = ${grain}`;
}

/** The rows of another relation, negated, in the dimensions of a coarser grain. */
function negatedRows(from: string, dimensions: Partial<typeof DIMENSIONS>): string {
  return `select ${Object.values({ ...DIMENSIONS, ...dimensions }).join(", ")},
    ${each((name) => `-${name}`)} from ${from}`;
}

/** Sums by bucket, as far as they are not 0: what is stored too much. */
function excess(rows: string): string {
  return `select ${KEY},
      ${each(
        (name) => `sum_bigint(${name}) as ${name}`,
        (name) => `sum_sketch(${name}) as ${name}`,
      )}
    from (${rows}) rows group by ${KEY}
    having ${each(
      (name) => `sum_bigint(${name}) <> 0`,
      (name) => `sum_sketch(${name}) <> 0`,
      " or ",
    )}`;
}

/** What a grain holds too much, and the rows that it should hold. */
function grain(
  name: string,
  number: number,
  from: string,
  dimensions: Partial<typeof DIMENSIONS>,
): string {
  return `${name} as materialized (
      ${excess(`${storedRows(number)} union all ${negatedRows(from, dimensions)}`)}
    ), true_${name} as not materialized (
      ${storedRows(number)} union all ${negatedRows(name, {})}
    )`;
}

/** The grains in their order; grain 3 keeps no sketches. */
const GRAINS = [
  "quarters",
  "user_days",
  "user_months",
  "all_quarters",
  "all_hours",
  "all_days",
  "all_months",
  "tag_days",
  "tag_months",
];

/** Sketches as people can compare them: they have hundreds of digits. */
function shortened(sketch: string): string {
  const text = `trim_scale(${sketch})::text`;
  return `case when ${sketch} = 0 then '0' else
        'sketch ' || left(encode(sha256(convert_to(${text}, 'UTF8')), 'hex'), 12) end`;
}

/**
 * Sums of every bucket in every grain, over all slots.
 *
 * What is stored is added up with the negated records; what is left is the drift. A grain less its
 * drift is the records' sums, so that coarser grains need not read the records again. For a million
 * records in 980,000 quarter-hours, of the numbers alone, this took 8 s of one core; sums of both
 * sides and a full join took 30 s. Sums stay in bigint, as they do where they are posted.
 */
export const rollups: LedgerCheck = {
  name: "rollup",
  sql: `
    with records as (
      select user_id, ${binned("created_time", "15 minutes")} as bucket_time, api_key_id, provider,
        model, api_format, status = 'FAILED' as failed,
        ${TAG_SET_ID} as tag, tags,
        ${each(
          (name) => `${SUMS[name]} as ${name}`,
          (name) => `coalesce(${SKETCHES[name]}, 0) as ${name}`,
        )}
      from usage_records
      where ${IS_FINISHED}
    ), ${grain("quarters", 1, "records", {})},
    ${grain("user_days", 2, "true_quarters", { ...BY_DAY, ...NO_OFFERING, ...NO_TAGS })},
    user_days_without_sketches as not materialized (
      select ${KEY}, ${each(
        (name) => name,
        (name) => `0::numeric as ${name}`,
      )} from true_user_days
    ), ${grain("user_months", 3, "user_days_without_sketches", BY_MONTH)},
    ${grain("all_quarters", 4, "true_quarters", { ...NO_USERS, ...NO_TAGS })},
    ${grain("all_hours", 5, "true_all_quarters", BY_HOUR)},
    ${grain("all_days", 6, "true_all_hours", BY_DAY)},
    ${grain("all_months", 7, "true_all_days", BY_MONTH)},
    tagged as (
      select q.user_id, q.bucket_time, q.api_key_id, q.provider, q.model, q.api_format, q.failed,
        t.key || '=' || t.value as tag, null::jsonb as tags, ${each((name) => `q.${name}`)}
      from true_quarters q cross join lateral jsonb_each_text(q.tags) t
    ), ${grain("tag_days", 8, "tagged", { ...BY_DAY, ...NO_USERS, ...NO_OFFERING })},
    ${grain("tag_months", 9, "true_tag_days", BY_MONTH)},
    drifts as (
      ${GRAINS.map((name, index) => `select ${index + 1} as grain, * from ${name}`).join(" union all ")}
    )
    select concat_ws(' ', 'grain', d.grain, 'from', d.bucket_time,
        'user', quote_literal(d.user_id), 'API key', quote_literal(d.api_key_id),
        'provider', quote_literal(d.provider), 'model', quote_literal(d.model),
        'format', quote_literal(d.api_format), case when d.failed then 'failed' end,
        'tag ' || nullif(d.tag, '')) as subject,
      f.figure, f.stored, f.recomputed
    from drifts d
    cross join lateral (
      select ${each((name) => `coalesce(sum(${name}), 0) as ${name}`)}
      from usage_rollups r
      where r.grain = d.grain and r.user_id = d.user_id and r.bucket_time = d.bucket_time
        and r.api_key_id = d.api_key_id and r.provider = d.provider and r.model = d.model
        and r.api_format = d.api_format and r.failed = d.failed and r.tag = d.tag
        and r.tags is not distinct from d.tags
    ) s
    cross join lateral (values
      ${each(
        (name) => `('${name}', s.${name}::text, (s.${name} - d.${name})::text, d.${name}::numeric)`,
        (name) =>
          `('${name}', ${shortened(`s.${name}`)},
            ${shortened(`(s.${name} - d.${name})`)}, d.${name})`,
        ",\n      ",
      )}
    ) f (figure, stored, recomputed, excess)
    where f.excess <> 0`,
};
