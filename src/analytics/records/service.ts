import { AffinityGroupBy, Analytics } from "../../../gen/tally/v1/analytics_pb.js";
import { implement, type ServiceImplementation } from "../../server/handler.js";
import { fromProtoFilters, fromProtoRange, type ScopeFields } from "../from-proto.js";
import { timeZoneViolations } from "../time-zone-rule.js";
import { toProtoRange } from "../to-proto.js";
import type { AffinityStore } from "./affinity-store.js";
import { mostRecommended } from "./cache-affinity.js";
import type { HitsStore } from "./hits-store.js";
import { resolveRecordRange } from "./record-range.js";
import type { RecordScope } from "./record-rows.js";
import type { TimelineStore } from "./timeline-store.js";
import { toProtoAffinity, toProtoCosts, toProtoHits, toProtoPoint } from "./to-proto.js";

/** What the calls about single records are made of. */
export interface RecordsServiceParts {
  readonly affinity: AffinityStore;
  readonly hits: HitsStore;
  readonly timeline: TimelineStore;
  readonly directory: RecordsDirectory;
  /** Microseconds since 1970. */
  readonly nowUs: () => number;
}

/** What the catalog in memory says about users and keys. */
export interface RecordsDirectory {
  user(userId: string): { readonly email: string; readonly username: string } | undefined;
  apiKey(apiKeyId: string): { readonly name: string } | undefined;
}

const WEEK_HOURS = 168;
const DAY_HOURS = 24;
const DEFAULT_GROUPS = 100;
const DEFAULT_POINTS = 10_000;

/** Makes the part of the Analytics service that is answered from the records themselves. */
export function createRecordsService(
  parts: RecordsServiceParts,
): ServiceImplementation<typeof Analytics> {
  const { affinity, hits, timeline, directory, nowUs } = parts;

  function scopeOf(request: ScopeFields, defaultHours: number): RecordScope {
    const filters = fromProtoFilters(request);
    const asked = { ...fromProtoRange(request), defaultHours };
    return { filters, range: resolveRecordRange(asked, filters, nowUs()) };
  }

  return implement(
    Analytics,
    {
      async analyzeCacheAffinityTtl(request) {
        const scope = scopeOf(request, WEEK_HOURS);
        const isByKey = request.groupBy === AffinityGroupBy.API_KEY;
        const found = await affinity.readAffinity(
          scope,
          isByKey ? "API_KEY" : "USER",
          request.limit || DEFAULT_GROUPS,
        );
        const nameOf = (id: string) =>
          isByKey ? directory.apiKey(id)?.name : directory.user(id)?.username;
        const counts = [...found.recommendations];
        return {
          groups: found.groups.map((group) => toProtoAffinity(group, nameOf(group.groupId) ?? "")),
          groupCount: BigInt(counts.reduce((sum, [, groups]) => sum + groups, 0)),
          recommendations: counts.map(([ttlMinutes, groups]) => ({
            ttlMinutes,
            groups: BigInt(groups),
          })),
          costs: toProtoCosts(found.costs),
          recommendedTtlMinutes: mostRecommended(found.recommendations),
          ...toProtoRange(scope.range),
        };
      },

      async getCacheHitAnalysis(request) {
        const scope = scopeOf(request, WEEK_HOURS);
        return { ...toProtoHits(await hits.readHits(scope)), ...toProtoRange(scope.range) };
      },

      async getIntervalTimeline(request) {
        const scope = scopeOf(request, DAY_HOURS);
        const { includeUserInfo, limit } = request;
        const found = await timeline.readTimeline(scope, limit || DEFAULT_POINTS);
        const { points, totalPoints, leftOutUsers } = found;
        const users = includeUserInfo ? new Set(points.map(({ userId }) => userId)) : [];
        return {
          points: points.map((point) => toProtoPoint(point, includeUserInfo)),
          users: Object.fromEntries(
            [...users].map((userId) => {
              const { username = "", email = "" } = directory.user(userId) ?? {};
              return [userId, { username, email }];
            }),
          ),
          models: sortedByBytes(new Set(points.map(({ model }) => model))),
          totalPoints: BigInt(totalPoints),
          isSampled: points.length < totalPoints,
          leftOutUsers: BigInt(leftOutUsers),
          ...toProtoRange(scope.range),
        };
      },
    },
    {
      analyzeCacheAffinityTtl: timeZoneViolations,
      getCacheHitAnalysis: timeZoneViolations,
      getIntervalTimeline: timeZoneViolations,
    },
  );
}

function sortedByBytes(texts: Iterable<string>): string[] {
  return [...texts].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
