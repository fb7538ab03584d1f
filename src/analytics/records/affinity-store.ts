import { affinityQuery } from "./affinity-query.js";
import type { BoundedReads } from "./bounded-reads.js";
import {
  type AffinityGroup,
  type AffinityGroupBy,
  type CacheAffinity,
  TTLS_MINUTES,
  type TtlMinutes,
} from "./cache-affinity.js";
import { cacheCostsOf, type InputSums } from "./cache-costs.js";
import { findPrices, type PriceVersionSource } from "./price-source.js";
import type { RecordScope } from "./record-rows.js";

/** Reads intervals between requests, with what their input cost and would have cost. */
export interface AffinityStore {
  readAffinity(scope: RecordScope, groupBy: AffinityGroupBy, limit: number): Promise<CacheAffinity>;
}

/** Makes the store. */
export function createAffinityStore(
  reads: BoundedReads,
  priceVersions: PriceVersionSource,
): AffinityStore {
  return {
    async readAffinity(scope, groupBy, limit) {
      const query = affinityQuery(scope, groupBy, limit);
      const [answer] = await reads.run((run) => run<AffinityRow>(query));
      const sums = (answer?.sums ?? []).map(fromSumsJson);
      const prices = await findPrices(priceVersions, sums);
      const ofRank = new Map<number, InputSums[]>();
      for (const sum of sums) {
        const known = ofRank.get(sum.rank);
        if (known === undefined) ofRank.set(sum.rank, [sum]);
        else known.push(sum);
      }
      const recommendations = answer?.recommendations ?? {};
      return {
        groups: (answer?.groups ?? []).map((group) => ({
          ...fromGroupJson(group),
          costs: cacheCostsOf(ofRank.get(group.rank) ?? [], prices),
        })),
        recommendations: new Map(TTLS_MINUTES.map((ttl) => [ttl, recommendations[ttl] ?? 0])),
        costs: cacheCostsOf(sums, prices),
      };
    },
  };
}

interface AffinityRow {
  readonly groups: readonly GroupJson[] | null;
  readonly recommendations: Readonly<Record<number, number>> | null;
  readonly sums: readonly SumsJson[] | null;
}

interface GroupJson {
  readonly group_id: string;
  readonly rank: number;
  readonly requests: number;
  readonly intervals: number;
  readonly counts: AffinityGroup["counts"];
  readonly percentiles: readonly [number, number, number];
  readonly min_us: number;
  readonly max_us: number;
  readonly sum_us: number;
  readonly ttl: TtlMinutes;
}

/** Amounts are texts: a JSON number would lose digits beyond 2^53. */
interface SumsJson {
  readonly rank: number;
  readonly price_version: string | null;
  readonly tier_index: number;
  readonly requests: number;
  readonly input_tokens: string;
  readonly cacheable_tokens: string;
  readonly read_5_minutes: string | null;
  readonly read_1_hour: string | null;
  readonly paid: string;
}

function fromGroupJson(group: GroupJson): Omit<AffinityGroup, "costs"> {
  const [p50Us, p75Us, p90Us] = group.percentiles;
  return {
    groupId: group.group_id,
    requests: group.requests,
    intervals: group.intervals,
    counts: group.counts,
    p50Us,
    p75Us,
    p90Us,
    minUs: group.min_us,
    maxUs: group.max_us,
    averageUs: group.sum_us / group.intervals,
    recommendedTtl: group.ttl,
  };
}

function fromSumsJson(sums: SumsJson): InputSums & { readonly rank: number } {
  return {
    rank: sums.rank,
    priceVersion: sums.price_version === null ? null : BigInt(sums.price_version),
    tierIndex: sums.tier_index,
    requests: sums.requests,
    inputTokens: BigInt(sums.input_tokens),
    cacheableTokens: BigInt(sums.cacheable_tokens),
    readWithin5Minutes: BigInt(sums.read_5_minutes ?? 0),
    readWithin1Hour: BigInt(sums.read_1_hour ?? 0),
    paid: BigInt(sums.paid),
  };
}
