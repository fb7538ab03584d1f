/** What the calls about single records must answer, worked out from the rows one by one. */
import type { Database } from "../../../src/database/database.js";

/** A record, read without any code of ours. */
export interface PlainRecord {
  readonly id: string;
  readonly timeUs: bigint;
  readonly status: string;
  readonly user: string;
  readonly key: string;
  readonly provider: string;
  readonly model: string;
  readonly input: bigint;
  readonly written: bigint;
  readonly read: bigint;
  readonly portions: readonly { ttlMinutes: number; tokens: number }[] | null;
  readonly ttl: number | null;
  readonly paidInput: bigint;
  readonly paidWrite: bigint;
  readonly paidRead: bigint;
  readonly actualCache: bigint;
  readonly multiplier: string;
  readonly note: string;
  readonly tier: PlainTier | undefined;
}

/** Prices as the database keeps them: decimal texts, per million tokens. */
interface PlainTier {
  readonly input_nano_usd_per_million: string;
  readonly cache_creation_nano_usd_per_million?: string;
  readonly cache_read_nano_usd_per_million?: string;
  readonly cache_ttl_pricing?: readonly (Partial<PlainTier> & { readonly ttl_minutes: number })[];
}

/** All records, the oldest first. */
export async function readRecords({ knex }: Database): Promise<PlainRecord[]> {
  const { rows } = await knex.raw(`
    select request_id as id, floor(extract(epoch from created_time) * 1000000)::bigint as "timeUs",
      status, user_id as user, api_key_id as key, provider, r.model, input_tokens as input,
      cache_creation_tokens as written, cache_read_tokens as read, cache_creations as portions,
      cache_ttl_minutes as ttl, cost_input as "paidInput", cost_cache_creation as "paidWrite",
      cost_cache_read as "paidRead", actual_cache_creation + actual_cache_read as "actualCache",
      rate_multiplier as multiplier, billing_note as note, v.price -> 'tiers' -> price_tier_index::int as tier
    from usage_records r left join (select version, price from price_versions) v
      on v.version = price_version
    order by created_time, request_id`);
  return (rows as (Omit<PlainRecord, "tier"> & { tier: PlainTier | null })[]).map((row) => ({
    ...row,
    tier: row.tier ?? undefined,
  }));
}

const MINUTE_US = 60_000_000n;
/** Prices are worked out for so many tokens, so that 1.25 and 0.1 times a price are whole. */
const PER_TOKENS = 20n * 1_000_000n;

function inputPrice(tier: PlainTier): bigint {
  return BigInt(tier.input_nano_usd_per_million) * 20n;
}

function cachePrice(
  tier: PlainTier,
  ttl: number | null,
  kind: "cache_creation" | "cache_read",
): bigint {
  const name = `${kind}_nano_usd_per_million` as const;
  const entries = [...(tier.cache_ttl_pricing ?? [])];
  entries.sort((a, b) => a.ttl_minutes - b.ttl_minutes);
  const longEnough = entries.filter(({ ttl_minutes }) => ttl !== null && ttl_minutes >= ttl);
  const entry = ttl === null ? undefined : (longEnough[0] ?? entries[entries.length - 1]);
  const price = entry?.[name] ?? tier[name];
  if (price !== undefined) return BigInt(price) * 20n;
  return BigInt(tier.input_nano_usd_per_million) * (kind === "cache_read" ? 2n : 25n);
}

/** Half to even. */
function round(numerator: bigint, denominator: bigint): bigint {
  const floor =
    numerator >= 0n ? numerator / denominator : -((-numerator + denominator - 1n) / denominator);
  const twice = (numerator - floor * denominator) * 2n;
  if (twice === denominator) return floor % 2n === 0n ? floor : floor + 1n;
  return twice > denominator ? floor + 1n : floor;
}

function minutes(us: number): number {
  return Number((Math.round(us / 600_000) / 100).toFixed(2));
}

function byGroup(
  records: readonly PlainRecord[],
  keyOf: (record: PlainRecord) => string,
): Map<string, PlainRecord[]> {
  const groups = new Map<string, PlainRecord[]>();
  for (const record of records) {
    const group = groups.get(keyOf(record)) ?? [];
    group.push(record);
    groups.set(keyOf(record), group);
  }
  return groups;
}

function isCharged({ tier, note }: PlainRecord): boolean {
  return tier !== undefined && note !== "FAILED_REQUEST_NOT_BILLED";
}

/** Costs of one group's records, in the order of time. */
function addCosts(records: readonly PlainRecord[]) {
  const sum = { paid: 0n, uncached: 0n, five: 0n, hour: 0n, unpriced: 0n };
  const lastOf = new Map<string, PlainRecord>();
  for (const record of records) {
    const cache = JSON.stringify([record.provider, record.model]);
    const before = lastOf.get(cache);
    lastOf.set(cache, record);
    const { tier } = record;
    if (tier === undefined || !isCharged(record)) {
      sum.unpriced += 1n;
      continue;
    }
    const gap = before === undefined ? undefined : record.timeUs - before.timeUs;
    const cacheable = record.read + record.written;
    const cachedBefore = before === undefined ? 0n : before.read + before.written;
    const estimate = cacheable < cachedBefore ? cacheable : cachedBefore;
    const isSoon = gap !== undefined && gap <= 5n * MINUTE_US;
    const isWithinAnHour = gap !== undefined && gap <= 60n * MINUTE_US;
    const five = isSoon ? record.read : 0n;
    const later = isWithinAnHour ? (record.read > estimate ? record.read : estimate) : 0n;
    const hour = isSoon ? record.read : later;
    const with5 = five * cachePrice(tier, 5, "cache_read");
    const with60 = hour * cachePrice(tier, 60, "cache_read");
    const input = record.input * inputPrice(tier);
    sum.paid += record.paidInput + record.paidWrite + record.paidRead;
    sum.uncached += input + cacheable * inputPrice(tier);
    sum.five += input + with5 + (cacheable - five) * cachePrice(tier, 5, "cache_creation");
    sum.hour += input + with60 + (cacheable - hour) * cachePrice(tier, 60, "cache_creation");
  }
  return sum;
}

function tellCosts(sums: readonly ReturnType<typeof addCosts>[]) {
  const sum = (name: "paid" | "uncached" | "five" | "hour" | "unpriced") =>
    sums.reduce((total, costs) => total + costs[name], 0n);
  const paid = sum("paid");
  const options = [sum("uncached"), sum("five"), sum("hour")].map((cost) =>
    round(cost, PER_TOKENS),
  );
  const [least = 0n] = [...options].sort((a, b) => (a < b ? -1 : 1));
  const isWorthIt = paid > least && (paid - least) * 50n >= paid;
  const [uncachedNanoUsd, fiveMinutesNanoUsd, oneHourNanoUsd] = options;
  return {
    paidNanoUsd: paid,
    uncachedNanoUsd,
    fiveMinutesNanoUsd,
    oneHourNanoUsd,
    // As the contract numbers them: 1 no change, 2 uncached, 3 five minutes, 4 an hour.
    cheapest: isWorthIt ? options.indexOf(least) + 2 : 1,
    unpricedRequests: sum("unpriced"),
  };
}

/** Groups with their intervals and costs, and the costs of all. */
export function expectedAffinity(records: readonly PlainRecord[], by: "user" | "key") {
  const completed = records.filter((r) => r.status === "COMPLETED" && r[by] !== "");
  const groups = [...byGroup(completed, (record) => record[by])]
    .filter(([, own]) => own.length >= 3)
    .sort(
      ([a, x], [b, y]) => y.length - x.length || Buffer.compare(Buffer.from(a), Buffer.from(b)),
    );
  const told = groups.map(([groupId, own]) => ({ groupId, ...intervalsOf(own) }));
  const ttls = told.map(({ recommendedTtlMinutes }) => recommendedTtlMinutes);
  const counts = [5, 15, 30, 60].map((ttlMinutes) => ({
    ttlMinutes,
    groups: BigInt(ttls.filter((ttl) => ttl === ttlMinutes).length),
  }));
  const most = counts.reduce((a, b) => (b.groups > a.groups ? b : a));
  return {
    groups: told,
    recommendations: counts,
    recommendedTtlMinutes: most.ttlMinutes,
    costs: tellCosts(groups.map(([, own]) => addCosts(own))),
  };
}

function intervalsOf(own: readonly PlainRecord[]) {
  const gaps = own.slice(1).map((r, index) => Number(r.timeUs - (own[index]?.timeUs ?? 0n)));
  const sorted = [...gaps].sort((a, b) => a - b);
  const percentile = (part: number) => {
    const place = part * (sorted.length - 1);
    const low = sorted[Math.floor(place)] ?? 0;
    const high = sorted[Math.ceil(place)] ?? 0;
    return low + (place - Math.floor(place)) * (high - low);
  };
  const within = (from: number, to: number) =>
    gaps.filter((gap) => gap > from * 60e6 && gap <= to * 60e6).length;
  const counts = [
    within(-1, 5),
    within(5, 15),
    within(15, 30),
    within(30, 60),
    within(60, Number.POSITIVE_INFINITY),
  ];
  const [p50 = 0, p75 = 0, p90 = 0] = [0.5, 0.75, 0.9].map(percentile);
  const smaller = p75 <= 15 * 60e6 ? 15 : p75 <= 30 * 60e6 ? 30 : 60;
  return {
    requests: BigInt(own.length),
    intervals: BigInt(gaps.length),
    counts: counts.map(BigInt),
    percents: counts.map((count) => Math.round((count / gaps.length) * 1_000) / 10),
    minutes: [p50, p75, p90].map(minutes),
    extremes: [
      minutes(sorted[0] ?? 0),
      minutes(sorted.at(-1) ?? 0),
      minutes(gaps.reduce((a, b) => a + b, 0) / gaps.length),
    ],
    recommendedTtlMinutes: p90 <= 5 * 60e6 ? 5 : smaller,
    costs: tellCosts([addCosts(own)]),
  };
}

/** What the cache saved. */
export function expectedHits(records: readonly PlainRecord[]) {
  const completed = records.filter(({ status }) => status === "COMPLETED");
  const sum = (amountOf: (record: PlainRecord) => bigint) =>
    completed.reduce((total, record) => total + amountOf(record), 0n);
  const multiplierOf = ({ multiplier, note }: PlainRecord) => {
    const [whole = "0", fraction = ""] = multiplier.split(".");
    return note === "FREE_TIER" ? 0n : BigInt(whole + fraction.padEnd(9, "0"));
  };
  const grossOf = (r: PlainRecord) => {
    if (r.tier === undefined || !isCharged(r)) return 0n;
    return r.read * (inputPrice(r.tier) - cachePrice(r.tier, r.ttl, "cache_read"));
  };
  const extraOf = (r: PlainRecord) => {
    const { tier } = r;
    if (tier === undefined || !isCharged(r)) return 0n;
    const portions = r.portions ?? [{ ttlMinutes: r.ttl, tokens: Number(r.written) }];
    return portions.reduce((total, { ttlMinutes, tokens }) => {
      const price = cachePrice(tier, ttlMinutes, "cache_creation");
      return total + BigInt(tokens) * (price - inputPrice(tier));
    }, 0n);
  };
  const netOf = (r: PlainRecord) => grossOf(r) - extraOf(r);
  const inputTokens = sum((r) => r.input);
  const written = sum((r) => r.written);
  const read = sum((r) => r.read);
  const hits = completed.filter((r) => r.read > 0n).length;
  const rate = (part: bigint, whole: bigint) => (whole === 0n ? 0 : Number(part) / Number(whole));
  const actual = PER_TOKENS * 10n ** 9n;
  return {
    requests: BigInt(completed.length),
    requestsWithHit: BigInt(hits),
    requestHitRate: rate(BigInt(hits), BigInt(completed.length)),
    tokenHitRate: rate(read, inputTokens + read),
    inputHitRate: rate(read, inputTokens + written + read),
    inputTokens,
    cacheCreationInputTokens: written,
    cacheReadInputTokens: read,
    cacheCreationNanoUsd: sum((r) => r.paidWrite),
    cacheReadNanoUsd: sum((r) => r.paidRead),
    actualCacheNanoUsd: sum((r) => r.actualCache),
    savings: [round(sum(grossOf), PER_TOKENS), round(sum(netOf), PER_TOKENS)],
    actualSavings: [
      round(
        sum((r) => grossOf(r) * multiplierOf(r)),
        actual,
      ),
      round(
        sum((r) => netOf(r) * multiplierOf(r)),
        actual,
      ),
    ],
    unpricedRequests: BigInt(completed.filter((r) => !isCharged(r)).length),
  };
}

/** A point of the timeline. */
export interface PlainPoint {
  readonly timeUs: bigint;
  readonly minutes: number;
  readonly user: string;
  readonly model: string;
}

/** All points, the oldest first. */
export function expectedPoints(records: readonly PlainRecord[]): PlainPoint[] {
  const lastOf = new Map<string, bigint>();
  const points: PlainPoint[] = [];
  for (const { status, user, model, timeUs } of records) {
    if (status !== "COMPLETED" || user === "") continue;
    const before = lastOf.get(user);
    lastOf.set(user, timeUs);
    if (before === undefined || timeUs - before > 120n * MINUTE_US) continue;
    points.push({ timeUs, minutes: minutes(Number(timeUs - before)), user, model });
  }
  return points;
}
