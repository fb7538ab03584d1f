import { FIGURE_NAMES, FIGURE_SQL } from "./figures.js";
import type { Dimension, Measure, Scope } from "./question.js";
import { type RowOptions, type Sql, usageRows } from "./usage-rows.js";

const FIGURES = FIGURE_NAMES.map((name) => `${FIGURE_SQL[name]} as "${name}"`).join(", ");

const SKETCHES = `sum_sketch(response_times)::text as "responseTimes",
  sum_sketch(first_byte_times)::text as "firstByteTimes"`;

/** Revisions leave rows of zeros where records were before. */
const HAVING_RECORDS = "having sum_bigint(attempts) <> 0";

const MEASURE_SQL: Readonly<Record<Measure, string>> = {
  COST: `("costInput" + "costOutput" + "costCacheCreation" + "costCacheRead" + "costRequest")`,
  TOKENS: `("inputTokens" + "outputTokens" + "cacheCreationTokens" + "cacheReadTokens")`,
  REQUESTS: "requests",
};

/** Figures of each period and each value of the dimensions, in their order. */
export function summaryQuery(scope: Scope, limit: number): Sql {
  const rows = usageRows(scope, { withSketches: true });
  const keys = scope.dimensions.map((dimension) => `"${dimension}"`);
  return {
    text: `
  select ${["period", ...keys].join(", ")}, ${FIGURES}, ${SKETCHES}
  from (
    ${rows.text}
  ) u
  group by ${["period", ...keys].join(", ")}
  ${HAVING_RECORDS}
  order by ${["period", ...keys.map((key) => `${key} collate "C"`)].join(", ")}
  limit ?`,
    values: [...rows.values, limit],
  };
}

/** Where the page before ended. */
export interface RankPosition {
  readonly measure: bigint;
  readonly value: string;
}

/** Which part of the values, in which order. */
export interface Ranking {
  readonly measure: Measure;
  readonly limit: number;
  readonly after?: RankPosition | undefined;
}

/**
 * Figures of the values of one dimension, the largest first, each row with the figures of all, as
 * `total` in JSON, and `valueCount`; one row without a value when there are none on the page.
 *
 * Latencies are added up for the values of the page alone: sketches are much the larger part of the
 * rows.
 */
export function breakdownQuery(scope: Scope, dimension: Dimension, ranking: Ranking): Sql {
  const told = { ...scope, dimensions: [dimension] };
  const rows = usageRows(told, { withSketches: false });
  const sketches = usageRows(told, { withSketches: true, onPage: dimension });
  // A record may have several tags, or none.
  const everything =
    dimension === "TAG"
      ? usageRows({ ...scope, dimensions: [] }, { withSketches: false })
      : undefined;
  const page = pageOf("figures", ranking);
  const sums = FIGURE_NAMES.map((name) => `coalesce(sum_bigint("${name}"), 0) as "${name}"`);
  return {
    text: `
  with figures as materialized (
    select "${dimension}" as value, ${FIGURES}
    from (
    ${rows.text}
    ) u
    group by 1
    ${HAVING_RECORDS}
  ), total as (
    ${
      everything
        ? `select ${FIGURES} from (
    ${everything.text}
    ) u`
        : `select ${sums.join(", ")} from figures`
    }
  ), page as materialized (
    ${page.text}
  ), sketches as (
    select "${dimension}" as value, ${SKETCHES}
    from (
    ${sketches.text}
    ) u
    where "${dimension}" in (select value from page)
    group by 1
  )
  select ${FIGURE_NAMES.map((name) => `total."${name}" as "total_${name}"`).join(", ")},
    (select count(*) from figures) as "valueCount",
    page.*, sketches."responseTimes", sketches."firstByteTimes"
  from total left join page on true left join sketches on sketches.value = page.value
  order by page.rank desc, page.value collate "C"`,
    values: [...rows.values, ...(everything?.values ?? []), ...page.values, ...sketches.values],
  };
}

function pageOf(figures: string, { measure, limit, after }: Ranking): Sql {
  const rank = MEASURE_SQL[measure];
  const beyond = `where ${rank} < ?::bigint
      or (${rank} = ?::bigint and value collate "C" > ?::text)`;
  return {
    text: `select *, ${rank} as rank from ${figures}
    ${after ? beyond : ""}
    order by rank desc, value collate "C"
    limit ?`,
    values: [
      ...(after ? [after.measure.toString(), after.measure.toString(), after.value] : []),
      limit,
    ],
  };
}

/** Figures of users, the largest first, without latencies. */
export function topUsersQuery(
  scope: Scope,
  ofUsers: NonNullable<RowOptions["ofUsers"]>,
  ranking: Ranking,
): Sql {
  const rows = usageRows({ ...scope, dimensions: ["USER"] }, { withSketches: false, ofUsers });
  const page = pageOf("figures", ranking);
  return {
    text: `
  with figures as (
    select "USER" as value, ${FIGURES}
    from (
    ${rows.text}
    ) u
    group by 1
    ${HAVING_RECORDS}
  )
  ${page.text}`,
    values: [...rows.values, ...page.values],
  };
}
