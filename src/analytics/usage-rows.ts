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
 * The rows that add up to a scope: `period` (index), each dimension under its name, `failed`, the
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

/** Nothing at all for no tiles: the database need not look at it. */
function sourceOf(tiles: readonly PeriodTile[], rows: (tiles: Sql) => Sql): Sql[] {
  if (tiles.length === 0) return [];
  return [
    rows({
      text: `unnest(?::timestamptz[], ?::timestamptz[], ?::integer[])
      as t (start_time, end_time, period)`,
      values: [
        tiles.map(({ startUs }) => formatMicroseconds(startUs)),
        tiles.map(({ endUs }) => formatMicroseconds(endUs)),
        tiles.map(({ period }) => period),
      ],
    }),
  ];
}

function rollupRows(grain: Grain, { dimensions, filters }: Scope, options: RowOptions) {
  const columns = [
    "t.period",
    ...dimensions.map((dimension) => `${dimensionSql(dimension, grain)} as "${dimension}"`),
    "r.failed",
    ...NUMBERS.map((name) => `r.${name}`),
    ...(options.withSketches ? ["r.response_times", "r.first_byte_times"] : []),
  ];
  const conditions = joined(
    [
      { text: `r.grain = ${grain.number}`, values: [] },
      { text: "r.bucket_time >= t.start_time and r.bucket_time < t.end_time", values: [] },
      // Lets the key be searched by time: it begins with grain and user.
      ...(grain.isOverUsers ? [{ text: "r.user_id = ''", values: [] }] : []),
      ...conditionsOf(filters, options),
    ],
    " and ",
  );
  return (tiles: Sql): Sql => ({
    text: `select ${columns.join(", ")} from ${tiles.text}
      join usage_rollups r on ${conditions.text}${tagsOf("r.tags", dimensions, grain)}`,
    values: [...tiles.values, ...conditions.values],
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
    "t.period",
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
  const conditions = joined(
    [
      { text: "r.created_time >= t.start_time and r.created_time < t.end_time", values: [] },
      { text: "r.status in ('COMPLETED', 'FAILED')", values: [] },
      ...conditionsOf(filters, options),
    ],
    " and ",
  );
  return (tiles: Sql): Sql => ({
    text: `select ${columns.join(", ")} from ${tiles.text}
      join usage_records r on ${conditions.text}${tagsOf("r.tags", dimensions)}`,
    values: [...tiles.values, ...conditions.values],
  });
}

const FAILED = "(r.status = 'FAILED')";

/**
 * Who used a key is looked up in the months of users: the key of the rollups is searched by user and
 * time, and there is no other way to a key's rows but through everybody's.
 */
const USERS_OF_KEY = `r.user_id in (
        select k.user_id from usage_rollups k where k.grain = 3 and k.api_key_id = ?)`;

function conditionsOf(filters: UsageFilters, { ofUsers }: RowOptions): Sql[] {
  const { userId, apiKeyId, provider, model } = filters;
  const conditions: Sql[] = [];
  if (userId !== "") conditions.push({ text: "r.user_id = ?", values: [userId] });
  if (apiKeyId !== "") {
    conditions.push({ text: "r.api_key_id = ?", values: [apiKeyId] });
    if (userId === "") conditions.push({ text: USERS_OF_KEY, values: [apiKeyId] });
  }
  if (provider !== "") conditions.push({ text: "r.provider = ?", values: [provider] });
  if (model !== "") conditions.push({ text: "r.model = ?", values: [model] });
  if (ofUsers) {
    conditions.push({ text: "r.user_id <> ''", values: [] });
    const { butApiKeyIds } = ofUsers;
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
