import { formatMicroseconds } from "../usage/time.js";
import { familyFor, type Grain, type Width } from "./grains.js";
import { type Dimension, filteredDimensions, type Scope, type UsageFilters } from "./question.js";
import { type Tile, tileRange } from "./tiles.js";

/** A piece of SQL with a question mark for each of its values. */
export interface Sql {
  readonly text: string;
  readonly values: readonly (string | number | readonly (string | number)[])[];
}

/** Further conditions and columns of rows. */
export interface RowOptions {
  /** Whether latencies are wanted. */
  readonly withSketches: boolean;
  /** Leaves out rows without a user, and those of these API keys. */
  readonly ofUsers?: { readonly butApiKeyIds: readonly string[] };
  /** Looks only for users, or users of API keys, that the query's `page` names as `value`. */
  readonly onPage?: Dimension;
}

const NUMBERS = [
  "requests",
  "attempts",
  "input_tokens",
  "output_tokens",
  "cache_creation_tokens",
  "cache_read_tokens",
  "cost_input",
  "cost_output",
  "cost_cache_creation",
  "cost_cache_read",
  "cost_request",
  "actual_cost",
  "response_time_ms_sum",
  "first_byte_time_ms_sum",
];

/** What a record adds to a rollup, where it does not have a column of that name. */
const OF_RECORD: Readonly<Record<string, string>> = {
  requests: "(not r.is_retried)::integer::bigint",
  attempts: "1::bigint",
  actual_cost: `r.actual_input + r.actual_output + r.actual_cache_creation
      + r.actual_cache_read + r.actual_request`,
  response_time_ms_sum: "coalesce(r.response_time_ms, 0)",
  first_byte_time_ms_sum: "coalesce(r.first_byte_time_ms, 0)",
};

const DIMENSION_SQL: Readonly<Record<Dimension, string>> = {
  USER: "r.user_id",
  API_KEY: "r.api_key_id",
  PROVIDER: "r.provider",
  MODEL: "r.model",
  API_FORMAT: "r.api_format",
  STATUS: "case when r.failed then 'FAILED' else 'COMPLETED' end",
  TAG: "r.tag",
};

/**
 * The rows that add up to a scope: `period` (its index), each dimension under its name, `failed`, the
 * numbers of rollups, and with sketches response_times and first_byte_times.
 */
export function usageRows(scope: Scope, options: RowOptions): Sql {
  const { dimensions, filters, periods } = scope;
  const asked = [...dimensions, ...filteredDimensions(filters)];
  // Whose rows they are, and which of the keys', only users' grains tell.
  if (options.ofUsers) asked.push("USER", "API_KEY");
  const family = familyFor(asked, options);
  const widths = family.map(({ width }) => width);
  const tiles = periods.flatMap((range, period) =>
    tileRange(range, widths).map((tile) => ({ ...tile, period })),
  );
  const sources: Sql[] = [];
  for (const grain of family) {
    sources.push(...sourceOf(tilesOf(tiles, grain.width), rollupRows(grain, scope, options)));
  }
  sources.push(...sourceOf(tilesOf(tiles, "RAW"), recordRows(scope, options)));
  return joined(sources, "\n    union all ");
}

type PeriodTile = Tile & { readonly period: number };

function tilesOf(tiles: readonly PeriodTile[], width: Width): PeriodTile[] {
  return tiles.filter((tile) => tile.width === width);
}

/** Tiles of one width as the database looks for them. */
interface TileSet {
  /** Ranges `t` that tiles without gaps between them make up. */
  readonly runs: Sql;
  /** The period of a moment in them. */
  readonly period: (time: string) => Sql;
}

/** Nothing at all for no tiles: the database need not look at it. */
function sourceOf(tiles: readonly PeriodTile[], rows: (tiles: TileSet) => Sql): Sql[] {
  if (tiles.length === 0) return [];
  const sorted = [...tiles].sort((a, b) => a.startUs - b.startUs);
  const isAfterGap = (index: number) => sorted[index - 1]?.endUs !== sorted[index]?.startUs;
  const firsts = sorted.filter((_, index) => isAfterGap(index));
  const lasts = sorted.filter((_, index) => isAfterGap(index + 1));
  return [
    rows({
      runs: {
        text: "unnest(?::timestamptz[], ?::timestamptz[]) t (start_time, end_time)",
        values: [
          firsts.map(({ startUs }) => formatMicroseconds(startUs)),
          lasts.map(({ endUs }) => formatMicroseconds(endUs)),
        ],
      },
      period: (time) => ({
        text: `(?::integer[])[width_bucket(${time}, ?::timestamptz[])]`,
        values: [
          sorted.map(({ period }) => period),
          sorted.map(({ startUs }) => formatMicroseconds(startUs)),
        ],
      }),
    }),
  ];
}

/**
 * Rows that lie in runs of tiles, each run looked for by itself in the index: `offset 0` keeps the
 * planner from reading everything and comparing it with every tile, which took five times as long
 * for the days of a year.
 */
function rowsInRuns(
  { runs, period }: TileSet,
  source: {
    columns: readonly string[];
    from: string;
    time: string;
    tags: string;
    users: Sql | undefined;
    where: Sql;
  },
): Sql {
  const periodSql = period(source.time);
  const users = source.users ? ` cross join (${source.users.text}) users` : "";
  return {
    text: `select rows.* from ${runs.text}${users} cross join lateral (
      select ${periodSql.text} as period, ${source.columns.join(", ")}
      from ${source.from} r${source.tags}
      where ${source.time} >= t.start_time and ${source.time} < t.end_time
        and ${source.where.text}
      offset 0
    ) rows`,
    values: [
      ...runs.values,
      ...(source.users?.values ?? []),
      ...periodSql.values,
      ...source.where.values,
    ],
  };
}

function rollupRows(grain: Grain, { dimensions, filters }: Scope, options: RowOptions) {
  const columns = [
    ...dimensions.map((dimension) => `${dimensionSql(dimension, grain)} as "${dimension}"`),
    "r.failed",
    ...NUMBERS.map((name) => `r.${name}`),
    ...(options.withSketches ? ["r.response_times", "r.first_byte_times"] : []),
  ];
  const where = joined(
    [
      { text: `r.grain = ${grain.number}`, values: [] },
      // Lets the key be searched by time: it begins with grain and user.
      ...(grain.isOverUsers ? [{ text: "r.user_id = ''", values: [] }] : []),
      ...conditionsOf(filters, options),
    ],
    " and ",
  );
  const tags = tagsOf("r.tags", dimensions, grain);
  const users = usersOf(filters, options);
  return (tiles: TileSet): Sql =>
    rowsInRuns(tiles, {
      columns,
      from: "usage_rollups",
      time: "r.bucket_time",
      tags,
      users,
      where,
    });
}

/** Quarter-hours tell all tags of a row at once. */
function tagsOf(tags: string, dimensions: readonly Dimension[], grain?: Grain): string {
  const isTold = grain !== undefined && grain.number !== 1;
  if (!dimensions.includes("TAG") || isTold) return "";
  return `\n      cross join lateral jsonb_each_text(${tags}) tags`;
}

function dimensionSql(dimension: Dimension, grain?: Grain): string {
  const isExpanded = dimension === "TAG" && (grain === undefined || grain.number === 1);
  return isExpanded ? "tags.key || '=' || tags.value" : DIMENSION_SQL[dimension];
}

function recordRows({ dimensions, filters }: Scope, options: RowOptions) {
  const columns = [
    ...dimensions.map(
      (dimension) => `${dimensionSql(dimension).replace("r.failed", FAILED)} as "${dimension}"`,
    ),
    `${FAILED} as failed`,
    ...NUMBERS.map((name) => `${OF_RECORD[name] ?? `r.${name}`} as ${name}`),
    ...(options.withSketches
      ? [
          "latency_sketch(r.response_time_ms, 1) as response_times",
          "latency_sketch(r.first_byte_time_ms, 1) as first_byte_times",
        ]
      : []),
  ];
  const isFinished = { text: "r.status in ('COMPLETED', 'FAILED')", values: [] };
  const where = joined([isFinished, ...conditionsOf(filters, options)], " and ");
  const tags = tagsOf("r.tags", dimensions);
  const users = usersOf(filters, options);
  return (tiles: TileSet): Sql =>
    rowsInRuns(tiles, {
      columns,
      from: "usage_records",
      time: "r.created_time",
      tags,
      users,
      where,
    });
}

const FAILED = "(r.status = 'FAILED')";

/**
 * Whose rows are looked for, one user at a time: the key of the rollups is searched by user and time,
 * and there is no other way to the rows of an API key but through everybody's. Who used one is found
 * in the months of users.
 */
function usersOf({ userId, apiKeyId }: UsageFilters, { onPage }: RowOptions): Sql | undefined {
  if (userId !== "") return undefined;
  if (onPage === "USER") return { text: "select value as user_id from page", values: [] };
  const ofKeys = "select distinct user_id from usage_rollups where grain = 3 and api_key_id";
  if (apiKeyId !== "") return { text: `${ofKeys} = ?`, values: [apiKeyId] };
  if (onPage !== "API_KEY") return undefined;
  return { text: `${ofKeys} in (select value from page)`, values: [] };
}

function conditionsOf(filters: UsageFilters, options: RowOptions): Sql[] {
  const { userId, apiKeyId, provider, model } = filters;
  const conditions: Sql[] = [];
  if (userId !== "") conditions.push({ text: "r.user_id = ?", values: [userId] });
  if (usersOf(filters, options)) conditions.push({ text: "r.user_id = users.user_id", values: [] });
  if (apiKeyId !== "") conditions.push({ text: "r.api_key_id = ?", values: [apiKeyId] });
  if (provider !== "") conditions.push({ text: "r.provider = ?", values: [provider] });
  if (model !== "") conditions.push({ text: "r.model = ?", values: [model] });
  if (options.ofUsers) {
    conditions.push({ text: "r.user_id <> ''", values: [] });
    const { butApiKeyIds } = options.ofUsers;
    if (butApiKeyIds.length > 0) {
      conditions.push({ text: "r.api_key_id <> all (?::text[])", values: [butApiKeyIds] });
    }
  }
  return conditions;
}

function joined(parts: readonly Sql[], separator: string): Sql {
  return {
    text: parts.map(({ text }) => text).join(separator),
    values: parts.flatMap(({ values }) => values),
  };
}
