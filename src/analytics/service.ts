import { Analytics, type GetBreakdownRequest } from "../../gen/tally/v1/analytics_pb.js";
import { invalidField } from "../errors.js";
import { implement, type ServiceImplementation } from "../server/handler.js";
import type { AnalyticsStore, RankedRow } from "./analytics-store.js";
import { sumFigures, totalCost, totalTokens } from "./figures.js";
import {
  fromProtoDimension,
  fromProtoFilters,
  fromProtoMeasure,
  fromProtoPeriod,
  fromProtoRange,
} from "./from-proto.js";
import { readPageToken, writePageToken } from "./page-token.js";
import { listPeriods } from "./periods.js";
import type { Dimension, Measure, TimeRange } from "./question.js";
import { resolveRange } from "./time-range.js";
import { timeZoneViolations } from "./time-zone-rule.js";
import {
  toProtoBreakdownRow,
  toProtoFigures,
  toProtoRange,
  toProtoSummaryRow,
  toProtoTopUser,
} from "./to-proto.js";

/** What the catalog in memory says about users and keys. */
export interface AnalyticsDirectory {
  user(userId: string): { readonly email: string; readonly username: string } | undefined;
  apiKeys(): Iterable<{ readonly apiKeyId: string; readonly kind: string }>;
}

/** What the service is made of. */
export interface AnalyticsServiceParts {
  readonly store: AnalyticsStore;
  readonly directory: AnalyticsDirectory;
  /** Microseconds since 1970. */
  readonly nowUs: () => number;
}

const MAX_PERIODS = 10_000;
const MAX_SUMMARY_ROWS = 20_000;
const DEFAULT_PAGE_SIZE = 50;
const DEFAULT_TOP_USERS = 10;
const DEFAULT_DIMENSIONS: readonly Dimension[] = ["PROVIDER", "MODEL"];

/** Makes the Analytics service. */
export function createAnalyticsService({
  store,
  directory,
  nowUs,
}: AnalyticsServiceParts): ServiceImplementation<typeof Analytics> {
  return implement(
    Analytics,
    {
      async getUsageSummary(request) {
        const range = resolveRange(fromProtoRange(request), nowUs());
        const kind = fromProtoPeriod(request.groupBy);
        const periods = listPeriods(range, kind, request.timeZone || "UTC", MAX_PERIODS);
        if (!periods) throw invalidField("group_by", kind, `is over ${MAX_PERIODS} periods`);
        const dimensions = request.byPeriodAlone ? [] : request.dimensions.map(fromProtoDimension);
        const scope = {
          filters: fromProtoFilters(request),
          dimensions:
            dimensions.length > 0 || request.byPeriodAlone ? dimensions : DEFAULT_DIMENSIONS,
          periods,
        };
        const rows = await store.readSummary(scope, MAX_SUMMARY_ROWS);
        if (rows.length === MAX_SUMMARY_ROWS) {
          throw invalidField(
            "dimensions",
            scope.dimensions,
            `make ${MAX_SUMMARY_ROWS} rows or more`,
          );
        }
        const total = sumFigures(rows.map(({ figures }) => figures));
        return {
          rows: rows.map((row) => toProtoSummaryRow(row, periods[row.period] ?? range)),
          total: toProtoFigures(total),
          ...toProtoRange(range),
        };
      },

      async getBreakdown(request) {
        const question = questionOf(request);
        const { range, after } = request.pageToken
          ? readPageToken(question, request.pageToken)
          : { range: resolveRange(fromProtoRange(request), nowUs()), after: undefined };
        const measure = fromProtoMeasure(request.orderBy);
        const pageSize = request.pageSize || DEFAULT_PAGE_SIZE;
        const found = await store.readBreakdown(
          { filters: fromProtoFilters(request), dimensions: [], periods: [range] },
          fromProtoDimension(request.dimension),
          // One more tells whether there is a next page.
          { measure, limit: pageSize + 1, after },
        );
        const rows = found.rows.slice(0, pageSize);
        const isLast = found.rows.length === rows.length;
        return {
          rows: rows.map((row) => toProtoBreakdownRow(row, found.total)),
          total: toProtoFigures(found.total),
          valueCount: found.valueCount,
          nextPageToken: isLast ? "" : tokenAfter(question, range, rows.at(-1), measure),
          ...toProtoRange(range),
        };
      },

      async getTopUsers(request) {
        const range = resolveRange(fromProtoRange(request), nowUs());
        const users = await store.readTopUsers(
          { filters: fromProtoFilters(request), dimensions: [], periods: [range] },
          request.excludeStandaloneKeys ? standaloneKeys(directory) : [],
          {
            measure: fromProtoMeasure(request.orderBy),
            limit: request.limit || DEFAULT_TOP_USERS,
          },
        );
        return {
          users: users.map((row) => toProtoTopUser(row, directory.user(row.value))),
          ...toProtoRange(range),
        };
      },
    },
    {
      getUsageSummary: timeZoneViolations,
      getBreakdown: timeZoneViolations,
      getTopUsers: timeZoneViolations,
    },
  );
}

function standaloneKeys(directory: AnalyticsDirectory): string[] {
  const ids: string[] = [];
  for (const { apiKeyId, kind } of directory.apiKeys()) {
    if (kind === "STANDALONE") ids.push(apiKeyId);
  }
  return ids;
}

/** Everything that a page token holds for. */
function questionOf(request: GetBreakdownRequest): unknown {
  const { startUs, endUs, hours } = fromProtoRange(request);
  const { userId, apiKeyId, provider, model } = fromProtoFilters(request);
  const { dimension, orderBy } = request;
  return [
    startUs ?? null,
    endUs ?? null,
    hours,
    [userId, apiKeyId, provider, model],
    fromProtoDimension(dimension),
    fromProtoMeasure(orderBy),
  ];
}

function tokenAfter(
  question: unknown,
  range: TimeRange,
  last: RankedRow | undefined,
  measure: Measure,
): string {
  if (last === undefined) return "";
  const { figures, value } = last;
  const rank = {
    COST: totalCost(figures),
    TOKENS: totalTokens(figures),
    REQUESTS: figures.requests,
  };
  return writePageToken(question, { range, after: { measure: rank[measure], value } });
}
