/** Answers of the contract in the form that the oracle has. */
import type {
  AnalyzeCacheAffinityTtlResponse,
  CacheCosts,
  CacheSavings,
  GetCacheHitAnalysisResponse,
  GetIntervalTimelineResponse,
} from "../../../gen/tally/v1/analytics_pb.js";
import type { PlainPoint } from "./oracle.js";

function costsOf(costs: CacheCosts | undefined) {
  return {
    paidNanoUsd: costs?.paidNanoUsd,
    uncachedNanoUsd: costs?.uncachedNanoUsd,
    fiveMinutesNanoUsd: costs?.fiveMinutesNanoUsd,
    oneHourNanoUsd: costs?.oneHourNanoUsd,
    cheapest: costs?.cheapest as number | undefined,
    unpricedRequests: costs?.unpricedRequests,
  };
}

/** See `expectedAffinity`. */
export function toldAffinity(answer: AnalyzeCacheAffinityTtlResponse) {
  return {
    groups: answer.groups.map((group) => {
      const d = group.distribution;
      return {
        groupId: group.groupId,
        requests: group.requests,
        intervals: group.intervals,
        counts: [
          d?.within5Minutes,
          d?.within15Minutes,
          d?.within30Minutes,
          d?.within60Minutes,
          d?.over60Minutes,
        ],
        percents: [
          d?.within5MinutesPercent,
          d?.within15MinutesPercent,
          d?.within30MinutesPercent,
          d?.within60MinutesPercent,
          d?.over60MinutesPercent,
        ],
        minutes: [group.p50Minutes, group.p75Minutes, group.p90Minutes],
        extremes: [group.minMinutes, group.maxMinutes, group.averageMinutes],
        recommendedTtlMinutes: group.recommendedTtlMinutes,
        costs: costsOf(group.costs),
      };
    }),
    recommendations: answer.recommendations.map(({ ttlMinutes, groups }) => ({
      ttlMinutes,
      groups,
    })),
    recommendedTtlMinutes: answer.recommendedTtlMinutes,
    costs: costsOf(answer.costs),
  };
}

/** See `expectedHits`. */
export function toldHits(answer: GetCacheHitAnalysisResponse) {
  const { $typeName, $unknown, startTime, endTime, savings, actualSavings, ...told } = answer;
  const both = (found: CacheSavings | undefined) => [found?.grossNanoUsd, found?.netNanoUsd];
  return { ...told, savings: both(savings), actualSavings: both(actualSavings) };
}

/** See `expectedPoints`. */
export function toldPoints({ points }: GetIntervalTimelineResponse): PlainPoint[] {
  return points.map(({ time, intervalMinutes, userId, model }) => ({
    timeUs: (time?.seconds ?? 0n) * 1_000_000n + BigInt((time?.nanos ?? 0) / 1_000),
    minutes: intervalMinutes,
    user: userId,
    model,
  }));
}
