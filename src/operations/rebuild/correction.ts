import { SKETCH_NAMES, SUM_NAMES } from "../checks/rollup-figures.js";
import type { DueRollups, Stretch } from "./due-rollups.js";

/** What a row is about, but for its slot, in the order of the primary key. */
const KEY_NAMES = [
  "grain",
  "user_id",
  "bucket_time",
  "api_key_id",
  "provider",
  "model",
  "api_format",
  "failed",
  "tag",
];
const KEY = KEY_NAMES.join(", ");
const FIGURE_NAMES = [...SUM_NAMES, ...SKETCH_NAMES];

function sameKey(a: string, b: string): string {
  return KEY_NAMES.map((name) => `${a}.${name} = ${b}.${name}`).join(" and ");
}

function each(toSql: (name: string) => string, separator = ", "): string {
  return FIGURE_NAMES.map(toSql).join(separator);
}

const SUMS_OF_ROWS = [
  ...SUM_NAMES.map((name) => `sum_bigint(${name}) as ${name}`),
  ...SKETCH_NAMES.map((name) => `sum_sketch(${name}) as ${name}`),
].join(", ");

/**
 * One statement that brings the rollups of some grains, in a stretch of time, to what they should
 * be, and answers (records, corrected): the records it looked at and the keys that were wrong.
 *
 * Nobody has to stop for it. All is compared in the statement's one snapshot, in which what is
 * stored less what should be is the error, whatever was recorded before it; and that difference is
 * what is taken back. So a record that comes meanwhile adds to the same row before or after, and is
 * not lost. What is wrong is taken out of all of its slots and put into one, so that made-up rows go
 * as a whole.
 *
 * A last_time is no sum. It is set to the last record's if nobody has written the rows since the
 * snapshot, which the sum of their xmin tells; otherwise what they were given may be later.
 */
export function correctionStatement(due: DueRollups, { start, end }: Stretch): string {
  const isZero = (row: string) => each((name) => `coalesce(${row}.${name}, 0) = 0`, " and ");
  return `
    with ${due.ctes}, stored as materialized (
      select ${KEY}, (array_agg(tags))[1] as tags, max(last_time) as last_time, ${SUMS_OF_ROWS},
        sum_bigint(xmin::text::bigint) as versions
      from usage_rollups
      where grain in (${due.grains.join(", ")})
        and bucket_time >= '${start}' and bucket_time < '${end}'
      group by ${KEY}
    ), wrong as materialized (
      select ${KEY}, d.tags, d.last_time, s.versions,
        ${each((name) => `coalesce(d.${name}, 0) - coalesce(s.${name}, 0) as ${name}`)}
      from due d full join stored s using (${KEY})
      where ${each((name) => `coalesce(d.${name}, 0) <> coalesce(s.${name}, 0)`, " or ")}
        or (d.grain is not null and not (${isZero("d")})
          and (d.last_time, d.tags) is distinct from (s.last_time, s.tags))
    ), locked as materialized (
      select ${KEY_NAMES.map((name) => `r.${name}`).join(", ")}, r.slot
      from wrong w join usage_rollups r on ${sameKey("r", "w")}
      order by ${KEY_NAMES.map((name) => `r.${name}`).join(", ")}, r.slot
      for update of r
    ), gone as (
      delete from usage_rollups r using locked l where ${sameKey("r", "l")} and r.slot = l.slot
      returning r.*, r.xmin::text::bigint as version
    ), taken as (
      select ${KEY}, (array_agg(tags))[1] as tags, max(last_time) as last_time, ${SUMS_OF_ROWS},
        sum_bigint(version) as versions
      from gone group by ${KEY}
    ), right_rows as (
      select ${KEY_NAMES.map((name) => `w.${name}`).join(", ")}, 0::smallint as slot,
        coalesce(w.tags, t.tags) as tags,
        case when t.versions is not distinct from w.versions and w.last_time is not null
          then w.last_time else greatest(w.last_time, t.last_time) end as last_time,
        ${SUM_NAMES.map((name) => `coalesce(t.${name}, 0) + w.${name} as ${name}`).join(", ")},
        ${SKETCH_NAMES.map((name) => `nullif(coalesce(t.${name}, 0) + w.${name}, 0) as ${name}`).join(", ")}
      from wrong w left join taken t on ${sameKey("t", "w")}
    ), put as (
      insert into usage_rollups as r (${KEY}, slot, tags, last_time, ${FIGURE_NAMES.join(", ")})
      select ${KEY}, slot, tags, last_time, ${FIGURE_NAMES.join(", ")} from right_rows n
      where not (${isZero("n")})
      order by ${KEY}
      on conflict (${KEY}, slot) do update set
        last_time = greatest(r.last_time, excluded.last_time),
        ${SUM_NAMES.map((name) => `${name} = r.${name} + excluded.${name}`).join(", ")},
        ${SKETCH_NAMES.map(
          (name) => `${name} = coalesce(r.${name} + excluded.${name}, r.${name}, excluded.${name})`,
        ).join(", ")}
    )
    select (${due.countRecords}) as records, (select count(*) from wrong) as corrected`;
}
