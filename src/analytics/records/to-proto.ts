import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type CacheAffinitySchema,
  type CacheCostsSchema,
  type CacheSavingsSchema,
  type GetCacheHitAnalysisResponseSchema,
  CacheChoice as ProtoCacheChoice,
} from "../../../gen/tally/v1/analytics_pb.js";
import { MAX_INT64 } from "../../pricing/money.js";
import { toProtoTime } from "../to-proto.js";
import { type AffinityGroup, reasonOf, toMinutes, toPercent } from "./cache-affinity.js";
import type { CacheChoice, CacheCosts } from "./cache-costs.js";
import { type BothSavings, type CacheSavings, type CacheTotals, rateOf } from "./cache-hits.js";
import type { IntervalPoint } from "./timeline-store.js";

const CHOICES: Readonly<Record<CacheChoice, ProtoCacheChoice>> = {
  NO_CHANGE: ProtoCacheChoice.NO_CHANGE,
  UNCACHED: ProtoCacheChoice.UNCACHED,
  FIVE_MINUTES: ProtoCacheChoice.FIVE_MINUTES,
  ONE_HOUR: ProtoCacheChoice.ONE_HOUR,
};

/** Costs as the contract shows them. */
export function toProtoCosts(costs: CacheCosts): MessageInitShape<typeof CacheCostsSchema> {
  return {
    paidNanoUsd: bounded(costs.paid),
    uncachedNanoUsd: bounded(costs.uncached),
    fiveMinutesNanoUsd: bounded(costs.fiveMinutes),
    oneHourNanoUsd: bounded(costs.oneHour),
    cheapest: CHOICES[costs.cheapest],
    unpricedRequests: BigInt(costs.unpricedRequests),
  };
}

/** What would have been paid, absurd tokens at an absurd price, may pass what a record can cost. */
function bounded(nanoUsd: bigint): bigint {
  if (nanoUsd > MAX_INT64) return MAX_INT64;
  return nanoUsd < -MAX_INT64 ? -MAX_INT64 : nanoUsd;
}

/** A group as the contract shows it. */
export function toProtoAffinity(
  group: AffinityGroup,
  name: string,
): MessageInitShape<typeof CacheAffinitySchema> {
  const { counts, intervals } = group;
  const percents = counts.map((count) => toPercent(count, intervals));
  return {
    groupId: group.groupId,
    name,
    requests: BigInt(group.requests),
    intervals: BigInt(intervals),
    distribution: {
      within5Minutes: BigInt(counts[0]),
      within15Minutes: BigInt(counts[1]),
      within30Minutes: BigInt(counts[2]),
      within60Minutes: BigInt(counts[3]),
      over60Minutes: BigInt(counts[4]),
      within5MinutesPercent: percents[0] ?? 0,
      within15MinutesPercent: percents[1] ?? 0,
      within30MinutesPercent: percents[2] ?? 0,
      within60MinutesPercent: percents[3] ?? 0,
      over60MinutesPercent: percents[4] ?? 0,
    },
    p50Minutes: toMinutes(group.p50Us),
    p75Minutes: toMinutes(group.p75Us),
    p90Minutes: toMinutes(group.p90Us),
    minMinutes: toMinutes(group.minUs),
    maxMinutes: toMinutes(group.maxUs),
    averageMinutes: toMinutes(group.averageUs),
    recommendedTtlMinutes: group.recommendedTtl,
    reason: reasonOf(group),
    costs: toProtoCosts(group.costs),
  };
}

/** What came from the cache, as the contract shows it. */
export function toProtoHits(
  totals: CacheTotals & { readonly savings: BothSavings },
): MessageInitShape<typeof GetCacheHitAnalysisResponseSchema> {
  const { inputTokens, creationTokens, readTokens, savings } = totals;
  return {
    requests: totals.requests,
    requestsWithHit: totals.requestsWithHit,
    requestHitRate: rateOf(totals.requestsWithHit, totals.requests),
    tokenHitRate: rateOf(readTokens, inputTokens + readTokens),
    inputHitRate: rateOf(readTokens, inputTokens + creationTokens + readTokens),
    inputTokens,
    cacheCreationInputTokens: creationTokens,
    cacheReadInputTokens: readTokens,
    cacheCreationNanoUsd: totals.creationCost,
    cacheReadNanoUsd: totals.readCost,
    actualCacheNanoUsd: totals.actualCacheCost,
    savings: toProtoSavings(savings.list),
    actualSavings: toProtoSavings(savings.actual),
    unpricedRequests: totals.unpricedRequests,
  };
}

function toProtoSavings({ gross, net }: CacheSavings): MessageInitShape<typeof CacheSavingsSchema> {
  return { grossNanoUsd: bounded(gross), netNanoUsd: bounded(net) };
}

/** A point as the contract shows it. */
export function toProtoPoint({ timeUs, gapUs, userId, model }: IntervalPoint, withUser: boolean) {
  return {
    time: toProtoTime(timeUs),
    intervalMinutes: toMinutes(gapUs),
    model,
    userId: withUser ? userId : "",
  };
}
