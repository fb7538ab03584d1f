import { IS_FINISHED } from "../checks/ledger-check.js";
import {
  binned,
  SKETCH_NAMES,
  SKETCHES,
  SUM_NAMES,
  SUMS,
  TAG_SET_ID,
} from "../checks/rollup-figures.js";

/** A stretch of time, [start, end), as timestamps that PostgreSQL reads. */
export interface Stretch {
  readonly start: string;
  readonly end: string;
}

/** Rollups of some grains, as they should be in a stretch of time. */
export interface DueRollups {
  readonly grains: readonly number[];
  /**
   * CTEs, the last of which, `due`, has a row for each key but its slot: the key's columns, tags,
   * last_time and every figure.
   */
  readonly ctes: string;
  /** A query for the number of records of the stretch, over these CTEs. */
  readonly countRecords: string;
}

const FIGURES = [...SUM_NAMES, ...SKETCH_NAMES].join(", ");
const NO_SKETCHES = SKETCH_NAMES.map((name) => `null::numeric as ${name}`);

const OF_SUMS_ALONE = [
  "max(last_time) as last_time",
  ...SUM_NAMES.map((name) => `sum_bigint(${name}) as ${name}`),
];
const OF_SUMS = [
  ...OF_SUMS_ALONE,
  ...SKETCH_NAMES.map((name) => `sum_sketch(${name}) as ${name}`),
].join(", ");
const OF_SUMS_WITHOUT_SKETCHES = [...OF_SUMS_ALONE, ...NO_SKETCHES].join(", ");

const OF_RECORDS = [...Object.entries(SUMS), ...Object.entries(SKETCHES)]
  .map(([name, sql]) => `${sql} as ${name}`)
  .join(", ");

const EVERYTHING = "user_id, api_key_id, provider, model, api_format, failed, tags";
const OFFERING = "provider, model, api_format, failed";
const USER = "user_id, api_key_id, failed";
const TAG = "tag, failed";

/** Sums of a relation in other buckets, by fewer dimensions. */
function sumsOf(from: string, time: string, dimensions: string, figures = OF_SUMS): string {
  return `select ${time} as bucket_time, ${dimensions}, ${figures}
      from ${from} group by ${time}, ${dimensions}`;
}

/** Rows of one grain; what its dimensions do not tell is ''. */
function rowsOf(grain: number, from: string, told: string): string {
  const tells = (name: string) => told.split(", ").includes(name);
  const text = (name: string) => (tells(name) ? name : `'' as ${name}`);
  const names = ["user_id", "api_key_id", "provider", "model", "api_format"].map(text).join(", ");
  const tag = tells("tags") ? `${TAG_SET_ID} as tag, tags` : `${text("tag")}, null::jsonb as tags`;
  return `select ${grain}::smallint as grain, ${names}, bucket_time, failed, ${tag}, last_time,
      ${FIGURES} from ${from}`;
}

function within(time: string, { start, end }: Stretch): string {
  return `${time} >= '${start}' and ${time} < '${end}'`;
}

/** The grains of days and shorter buckets, from the records of a UTC day and the purged ones. */
export function dueInDay(day: Stretch): DueRollups {
  return {
    grains: [1, 2, 4, 5, 6, 8],
    ctes: `finished as (
      select ${EVERYTHING.replace("failed", "status = 'FAILED' as failed")},
        ${binned("created_time", "15 minutes")} as bucket_time, created_time as last_time,
        ${OF_RECORDS}
      from usage_records where ${IS_FINISHED} and ${within("created_time", day)}
      union all
      select ${EVERYTHING}, bucket_time, last_time, ${FIGURES}
      from tally_purged.usage_rollups where grain = 1 and ${within("bucket_time", day)}
    ), quarters as materialized (
      ${sumsOf("finished", "bucket_time", EVERYTHING)}
    ), user_days as (
      ${sumsOf("quarters", binned("bucket_time", "1 day"), USER)}
    ), all_quarters as materialized (
      ${sumsOf("quarters", "bucket_time", OFFERING)}
    ), all_hours as materialized (
      ${sumsOf("all_quarters", binned("bucket_time", "1 hour"), OFFERING)}
    ), all_days as (
      ${sumsOf("all_hours", binned("bucket_time", "1 day"), OFFERING)}
    ), tagged as (
      select q.*, t.key || '=' || t.value as tag
      from quarters q cross join lateral jsonb_each_text(q.tags) t
    ), tag_days as (
      ${sumsOf("tagged", binned("bucket_time", "1 day"), TAG)}
    ), due as materialized (
      ${rowsOf(1, "quarters", EVERYTHING)}
      union all ${rowsOf(2, "user_days", USER)}
      union all ${rowsOf(4, "all_quarters", OFFERING)}
      union all ${rowsOf(5, "all_hours", OFFERING)}
      union all ${rowsOf(6, "all_days", OFFERING)}
      union all ${rowsOf(8, "tag_days", TAG)}
    )`,
    countRecords: "select coalesce(sum(attempts), 0)::bigint from quarters",
  };
}

/** The grains of months, from the rollups of their days. */
export function dueInMonth(month: Stretch): DueRollups {
  const monthOf = "date_trunc('month', bucket_time, 'UTC')";
  const days = (grain: number) =>
    `usage_rollups where grain = ${grain} and ${within("bucket_time", month)}`;
  return {
    grains: [3, 7, 9],
    ctes: `user_months as (
      ${sumsOf(days(2), monthOf, USER, OF_SUMS_WITHOUT_SKETCHES)}
    ), all_months as (
      ${sumsOf(days(6), monthOf, OFFERING)}
    ), tag_months as (
      ${sumsOf(days(8), monthOf, TAG)}
    ), due as materialized (
      ${rowsOf(3, "user_months", USER)}
      union all ${rowsOf(7, "all_months", OFFERING)}
      union all ${rowsOf(9, "tag_months", TAG)}
    )`,
    countRecords: "select 0::bigint",
  };
}
