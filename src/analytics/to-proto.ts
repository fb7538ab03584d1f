import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import type {
  BreakdownRowSchema,
  LatencyFiguresSchema,
  TopUserSchema,
  UsageFiguresSchema,
  UsageSummaryRowSchema,
} from "../../gen/tally/v1/analytics_pb.js";
import { UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import type { RankedRow, SummaryRow } from "./analytics-store.js";
import { totalCost, totalTokens, type UsageFigures } from "./figures.js";
import type { TimeRange } from "./question.js";
import { percentilesOf, type Sketch, sketchCount } from "./sketch.js";

/** A moment of the contract. */
export function toProtoTime(timeUs: number): Timestamp {
  const seconds = Math.floor(timeUs / 1_000_000);
  const nanos = (timeUs - seconds * 1_000_000) * 1_000;
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos });
}

/** Both ends of a range. */
export function toProtoRange({ startUs, endUs }: TimeRange) {
  return { startTime: toProtoTime(startUs), endTime: toProtoTime(endUs) };
}

/** Sums as the contract shows them. */
export function toProtoFigures(figures: UsageFigures): MessageInitShape<typeof UsageFiguresSchema> {
  const responseTime = toProtoLatency(figures.responseTimes, figures.responseTimeMsSum);
  const firstByteTime = toProtoLatency(figures.firstByteTimes, figures.firstByteTimeMsSum);
  return {
    requests: figures.requests,
    failures: figures.failures,
    attempts: figures.attempts,
    failedAttempts: figures.failedAttempts,
    inputTokens: figures.inputTokens,
    outputTokens: figures.outputTokens,
    cacheCreationInputTokens: figures.cacheCreationTokens,
    cacheReadInputTokens: figures.cacheReadTokens,
    totalTokens: totalTokens(figures),
    cost: {
      inputNanoUsd: figures.costInput,
      outputNanoUsd: figures.costOutput,
      cacheCreationNanoUsd: figures.costCacheCreation,
      cacheReadNanoUsd: figures.costCacheRead,
      cacheNanoUsd: figures.costCacheCreation + figures.costCacheRead,
      requestNanoUsd: figures.costRequest,
      totalNanoUsd: totalCost(figures),
    },
    actualCostNanoUsd: figures.actualCost,
    ...(responseTime && { responseTime }),
    ...(firstByteTime && { firstByteTime }),
  };
}

function toProtoLatency(
  sketch: Sketch,
  sumMs: bigint,
): MessageInitShape<typeof LatencyFiguresSchema> | undefined {
  const count = sketchCount(sketch);
  if (count === 0) return undefined;
  const [p50Ms = 0, p95Ms = 0, p99Ms = 0] = percentilesOf(sketch, [50, 95, 99]);
  return { count: BigInt(count), averageMs: Number(sumMs) / count, p50Ms, p95Ms, p99Ms };
}

/** A row of a summary, of the period that it lies in. */
export function toProtoSummaryRow(
  { values, figures }: SummaryRow,
  period: TimeRange,
): MessageInitShape<typeof UsageSummaryRowSchema> {
  return {
    ...toProtoRange(period),
    userId: values.USER ?? "",
    apiKeyId: values.API_KEY ?? "",
    provider: values.PROVIDER ?? "",
    model: values.MODEL ?? "",
    apiFormat: values.API_FORMAT ?? "",
    status: statusOf(values.STATUS),
    figures: toProtoFigures(figures),
  };
}

function statusOf(status: string | undefined): UsageStatus {
  if (status === undefined) return UsageStatus.UNSPECIFIED;
  return status === "FAILED" ? UsageStatus.FAILED : UsageStatus.COMPLETED;
}

/** A row of a breakdown, with its shares of the total. */
export function toProtoBreakdownRow(
  { value, figures }: RankedRow,
  total: UsageFigures,
): MessageInitShape<typeof BreakdownRowSchema> {
  return {
    value,
    figures: toProtoFigures(figures),
    costShare: share(totalCost(figures), totalCost(total)),
    tokenShare: share(totalTokens(figures), totalTokens(total)),
    requestShare: share(figures.requests, total.requests),
  };
}

/** Nothing has no part of nothing. */
function share(part: bigint, total: bigint): number {
  return total === 0n ? 0 : Number(part) / Number(total);
}

/** A user of the top users. */
export function toProtoTopUser(
  { value, figures }: RankedRow,
  user: { readonly email: string; readonly username: string } | undefined,
): MessageInitShape<typeof TopUserSchema> {
  return {
    userId: value,
    email: user?.email ?? "",
    username: user?.username ?? "",
    requests: figures.requests,
    tokens: totalTokens(figures),
    costNanoUsd: totalCost(figures),
    actualCostNanoUsd: figures.actualCost,
  };
}
