/** Random histories in days on which clocks are changed somewhere, and plain SQL over their records. */
import fc from "fast-check";
import type { Database } from "../../src/database/database.js";
import { sumParts } from "../../src/pricing/cost-breakdown.js";
import { type RecordContent, recordContents } from "../operations/ledger-arbitraries.js";

/** Zones of whole, half and quarter hours, with and without summer time. */
export const ZONES = [
  "UTC",
  "Europe/Berlin",
  "Asia/Kathmandu",
  "Asia/Kolkata",
  "Australia/Lord_Howe",
  "America/St_Johns",
  "Pacific/Chatham",
  "America/Havana",
];

const FIRST_MS = Date.UTC(2026, 1, 26);
const LAST_MS = Date.UTC(2026, 3, 7);
const QUARTER_MS = 900_000;

/** Often on the border of two quarter-hours, or a microsecond before it. */
const times = fc.oneof(
  fc.integer({ min: FIRST_MS, max: LAST_MS }).map((ms) => ms * 1_000 + 7),
  fc
    .tuple(fc.integer({ min: 0, max: (LAST_MS - FIRST_MS) / QUARTER_MS }), fc.constantFrom(0, -1))
    .map(([quarter, us]) => (FIRST_MS + quarter * QUARTER_MS) * 1_000 + us),
  // Where clocks are changed: Havana and St. John's, Berlin, Lord Howe and the Chathams.
  fc
    .tuple(
      fc.constantFrom("2026-03-08T05:00Z", "2026-03-29T01:00Z", "2026-04-04T15:00Z"),
      fc.integer({ min: -6 * 3_600, max: 6 * 3_600 }),
    )
    .map(([time, seconds]) => (Date.parse(time) + seconds * 1_000) * 1_000),
);

const latencies = fc.option(
  fc.oneof(fc.nat({ max: 30 }), fc.nat({ max: 600_000 }), fc.constantFrom(0, 1, 2 ** 53 - 1)),
  { nil: undefined },
);

const amount = fc.bigInt({ min: 0n, max: 10n ** 12n });
const costs = fc.tuple(amount, amount, amount, amount, amount).map((parts) =>
  sumParts({
    inputNanoUsd: parts[0],
    outputNanoUsd: parts[1],
    cacheCreationNanoUsd: parts[2],
    cacheReadNanoUsd: parts[3],
    requestNanoUsd: parts[4],
  }),
);

/** What may be told of one request. */
export const contents: fc.Arbitrary<RecordContent> = fc
  .tuple(recordContents, times, latencies, latencies, costs, costs)
  .map(([content, createTimeUs, responseTimeMs, firstByteTimeMs, cost, actualCost]) => ({
    ...content,
    createTimeUs,
    responseTimeMs,
    firstByteTimeMs,
    ...(content.finishTimeUs === undefined ? {} : { cost, actualCost }),
  }));

/** Any range in it, on quarter-hours and between them. */
export const ranges = fc
  .tuple(times, times)
  .map(([a, b]) => ({ startUs: Math.min(a, b), endUs: Math.max(a, b) + 1 }));

/** The filters of every request. */
export interface Filters {
  readonly userId: string;
  readonly apiKeyId: string;
  readonly provider: string;
  readonly model: string;
}

/** Mostly none. */
export const filters: fc.Arbitrary<Filters> = fc.record({
  userId: fc.constantFrom("", "", "", "u1"),
  apiKeyId: fc.constantFrom("", "", "", "k1"),
  provider: fc.constantFrom("", "", "p2"),
  model: fc.constantFrom("", "", "m 1"),
});

/** A row that plain SQL answers: its keys, then its figures. */
export interface PlainRow {
  readonly keys: readonly string[];
  readonly figures: PlainFigures;
}

/** Figures by names of their own. */
export interface PlainFigures {
  /** Everything that must be exact. */
  readonly exact: Readonly<Record<string, bigint>>;
  readonly responseTime: PlainLatency | undefined;
  readonly firstByteTime: PlainLatency | undefined;
}

/** Latencies, computed from all of them. */
export interface PlainLatency {
  readonly count: bigint;
  readonly averageMs: number;
  readonly percentilesMs: readonly number[];
}

const EXACT = {
  requests: "count(*) filter (where not is_retried)",
  failures: "count(*) filter (where not is_retried and status = 'FAILED')",
  attempts: "count(*)",
  failedAttempts: "count(*) filter (where status = 'FAILED')",
  inputTokens: "sum(input_tokens)",
  outputTokens: "sum(output_tokens)",
  cacheCreationInputTokens: "sum(cache_creation_tokens)",
  cacheReadInputTokens: "sum(cache_read_tokens)",
  inputNanoUsd: "sum(cost_input)",
  outputNanoUsd: "sum(cost_output)",
  cacheCreationNanoUsd: "sum(cost_cache_creation)",
  cacheReadNanoUsd: "sum(cost_cache_read)",
  requestNanoUsd: "sum(cost_request)",
  actualCostNanoUsd: `sum(actual_input + actual_output + actual_cache_creation
    + actual_cache_read + actual_request)`,
};

const LATENCY = (column: string) => `json_build_object('count', count(${column}),
  'averageMs', avg(${column}),
  'percentilesMs', percentile_disc(array[0.5, 0.95, 0.99]) within group (order by ${column}))`;

/** Asks usage_records itself, in the order of the keys' bytes. */
export async function askRecords(
  { knex }: Database,
  question: {
    /** SQL over usage_records, and `tag` as "key=value" where `from` has tags. */
    readonly keys: readonly string[];
    readonly range: { readonly startUs: number; readonly endUs: number };
    readonly filters: Filters;
    readonly byTag?: boolean;
    readonly where?: string;
  },
): Promise<PlainRow[]> {
  const { keys, range, byTag = false, where = "true" } = question;
  const { userId, apiKeyId, provider, model } = question.filters;
  const key = keys.length === 0 ? "array[]::text[]" : `array[${keys.join(", ")}]`;
  const { rows } = await knex.raw(
    `select keys, ${Object.entries(EXACT)
      .map(([name, sql]) => `coalesce(${sql}, 0)::text as "${name}"`)
      .join(", ")}, ${LATENCY("response_time_ms")} as response,
      ${LATENCY("first_byte_time_ms")} as first_byte
    from (
      select ${key} as keys, r.*
      from usage_records r
      ${byTag ? "cross join lateral jsonb_each_text(r.tags) t" : ""}
      where status in ('COMPLETED', 'FAILED')
        and (extract(epoch from created_time) * 1000000)::bigint between ? and ?
        and (:user = '' or user_id = :user) and (:key = '' or api_key_id = :key)
        and (:provider = '' or provider = :provider) and (:model = '' or model = :model)
        and ${where}
    ) x
    group by keys order by keys collate "C"`.replace(
      "? and ?",
      `${range.startUs} and ${range.endUs - 1}`,
    ),
    { user: userId, key: apiKeyId, provider, model },
  );
  return (rows as Record<string, unknown>[]).map((row) => ({
    keys: row.keys as string[],
    figures: {
      exact: Object.fromEntries(
        Object.keys(EXACT).map((name) => [name, BigInt(row[name] as string)]),
      ),
      responseTime: latencyOf(row.response as JsonLatency),
      firstByteTime: latencyOf(row.first_byte as JsonLatency),
    },
  }));
}

interface JsonLatency {
  readonly count: number;
  readonly averageMs: number | null;
  readonly percentilesMs: number[] | null;
}

function latencyOf({ count, averageMs, percentilesMs }: JsonLatency): PlainLatency | undefined {
  if (count === 0) return undefined;
  return { count: BigInt(count), averageMs: averageMs ?? 0, percentilesMs: percentilesMs ?? [] };
}
