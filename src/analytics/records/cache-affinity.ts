import type { CacheCosts } from "./cache-costs.js";

/** What requests are grouped by. */
export type AffinityGroupBy = "USER" | "API_KEY";

/** Times to live that are recommended, minutes. */
export const TTLS_MINUTES = [5, 15, 30, 60] as const;

/** One of them. */
export type TtlMinutes = (typeof TTLS_MINUTES)[number];

/** Intervals between the requests of one group; microseconds. */
export interface AffinityGroup {
  readonly groupId: string;
  readonly requests: number;
  readonly intervals: number;
  /** Intervals up to 5, 15, 30 and 60 minutes, and over that; each is counted once. */
  readonly counts: readonly [number, number, number, number, number];
  readonly p50Us: number;
  readonly p75Us: number;
  readonly p90Us: number;
  readonly minUs: number;
  readonly maxUs: number;
  readonly averageUs: number;
  readonly recommendedTtl: TtlMinutes;
  readonly costs: CacheCosts;
}

/** All groups with at least two intervals, those with most requests first. */
export interface CacheAffinity {
  /** As many as were asked for. */
  readonly groups: readonly AffinityGroup[];
  /** How many groups, those not asked for included, each time to live is recommended to. */
  readonly recommendations: ReadonlyMap<TtlMinutes, number>;
  /** Of all groups. */
  readonly costs: CacheCosts;
}

/** Minutes with two decimals. */
export function toMinutes(us: number): number {
  return Math.round(us / 600_000) / 100;
}

/** Percent with one decimal. */
export function toPercent(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.round((part * 1_000) / whole) / 10;
}

/** Why a time to live is recommended, for people. */
export function reasonOf({ recommendedTtl, p75Us, p90Us }: AffinityGroup): string {
  const p75 = toMinutes(p75Us).toFixed(2);
  switch (recommendedTtl) {
    case 5:
      return `90 % of the requests follow within ${toMinutes(p90Us).toFixed(2)} minutes`;
    case 60:
      return `75 % of the requests follow within ${p75} minutes, which is more than 30`;
    default:
      return `75 % of the requests follow within ${p75} minutes`;
  }
}

/** What the most groups are recommended, the shortest among equals; 5 without any. */
export function mostRecommended(recommendations: CacheAffinity["recommendations"]): TtlMinutes {
  let best: TtlMinutes = 5;
  for (const ttl of TTLS_MINUTES) {
    if ((recommendations.get(ttl) ?? 0) > (recommendations.get(best) ?? 0)) best = ttl;
  }
  return best;
}
