import { create, fromJson, type MessageInitShape } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  type CostBreakdownSchema,
  type PriceSchema,
  BillingNote as ProtoBillingNote,
  TokenConvention as ProtoTokenConvention,
  UnknownSubject as ProtoUnknownSubject,
  type UsagePayload as ProtoUsagePayload,
  type UsageRecord as ProtoUsageRecord,
  UsageStatus as ProtoUsageStatus,
  UsagePayloadSchema,
  UsageRecordSchema,
} from "../../gen/tally/v1/usage_pb.js";
import {
  RecordOutcome as ProtoRecordOutcome,
  type RecordUsageResponse,
  RecordUsageResponseSchema,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import type { CostBreakdown } from "../pricing/cost-breakdown.js";
import type { Price, PriceVersion } from "../pricing/price.js";
import { formatPriceVersion } from "../pricing/price.js";
import type { RecordOutcome } from "./conflict.js";
import type { RecordResult } from "./record-request.js";
import type { JsonValue, UsagePayload, UsageRecord } from "./usage-record.js";

const OUTCOMES: Readonly<Record<RecordOutcome, ProtoRecordOutcome>> = {
  CREATED: ProtoRecordOutcome.CREATED,
  COMPLETED: ProtoRecordOutcome.COMPLETED,
  REVISED: ProtoRecordOutcome.REVISED,
  REPLAYED: ProtoRecordOutcome.REPLAYED,
};

/** The answer to a recorded submission. */
export function toProtoRecordResponse(
  { record, outcome, overages }: RecordResult,
  price: PriceVersion | undefined,
): RecordUsageResponse {
  return create(RecordUsageResponseSchema, {
    record: toProtoUsageRecord(record, price),
    outcome: OUTCOMES[outcome],
    overages: overages.map(({ budgetId, amount }) => ({ budgetId, overage: amount })),
  });
}

/** A record as the contract shows it. */
export function toProtoUsageRecord(
  record: UsageRecord,
  price: PriceVersion | undefined,
): ProtoUsageRecord {
  return create(UsageRecordSchema, {
    ...toProtoRequest(record),
    ...toProtoBilling(record, price),
    revision: record.revision,
    createTime: toTimestamp(record.createTimeUs),
    updateTime: toTimestamp(record.updateTimeUs),
    ...(record.finishTimeUs !== undefined && { finishTime: toTimestamp(record.finishTimeUs) }),
    reservationUid: record.reservationId,
  });
}

/** What the gateway told. */
function toProtoRequest(record: UsageRecord) {
  const { tokens } = record;
  return {
    requestId: record.requestId,
    userId: record.userId,
    apiKeyId: record.apiKeyId,
    provider: record.provider,
    model: record.model,
    targetModel: record.targetModel,
    inputTokens: BigInt(tokens.inputTokens),
    outputTokens: BigInt(tokens.outputTokens),
    cacheCreationInputTokens: BigInt(tokens.cacheCreationInputTokens),
    cacheReadInputTokens: BigInt(tokens.cacheReadInputTokens),
    totalTokens: BigInt(tokens.totalTokens),
    cacheCreations: tokens.cacheCreations.map(({ ttlMinutes, tokens: count }) => ({
      ttlMinutes,
      tokens: BigInt(count),
    })),
    tokenConvention: ProtoTokenConvention[record.tokenConvention ?? "UNSPECIFIED"],
    requestType: record.requestType,
    apiFormat: record.apiFormat,
    isStream: record.isStream,
    ...(record.responseTimeMs !== undefined && { responseTimeMs: BigInt(record.responseTimeMs) }),
    ...(record.firstByteTimeMs !== undefined && {
      firstByteTimeMs: BigInt(record.firstByteTimeMs),
    }),
    statusCode: record.statusCode,
    errorMessage: record.errorMessage,
    status: ProtoUsageStatus[record.status],
    ...(record.metadata && { metadata: record.metadata }),
    tags: record.tags,
    providerId: record.providerId,
    providerEndpointId: record.providerEndpointId,
    providerApiKeyId: record.providerApiKeyId,
    ...(record.cacheTtlMinutes !== undefined && { cacheTtlMinutes: record.cacheTtlMinutes }),
    useTieredPricing: record.useTieredPricing,
    excludeFromBudgets: record.excludeFromBudgets,
  };
}

/** What it cost, why, and whom it charged. */
function toProtoBilling(record: UsageRecord, version: PriceVersion | undefined) {
  const { billingNote } = record;
  return {
    cost: toProtoCost(record.cost),
    actualCost: toProtoCost(record.actualCost),
    rateMultiplier: record.rateMultiplier,
    ...(version && {
      price: toProtoPrice(version.price),
      priceVersion: formatPriceVersion(version),
    }),
    ...(record.priceTierIndex !== undefined && { priceTierIndex: record.priceTierIndex }),
    billingNote: ProtoBillingNote[billingNote === "NONE" ? "UNSPECIFIED" : billingNote],
    unknownSubjects: record.unknownSubjects.map((subject) => ProtoUnknownSubject[subject]),
    budgetCharges: record.charges.map((charge) => ({
      budgetId: charge.budgetId,
      periodStartTime: toTimestamp(charge.periodStartMs * 1_000),
      amount: charge.amount,
    })),
  };
}

/** Stored headers and bodies. */
export function toProtoPayload(payload: UsagePayload): ProtoUsagePayload {
  const { requestHeaders, providerRequestHeaders, responseHeaders } = payload;
  return create(UsagePayloadSchema, {
    ...(requestHeaders && { requestHeaders }),
    ...(providerRequestHeaders && { providerRequestHeaders }),
    ...(responseHeaders && { responseHeaders }),
    ...(payload.requestBody !== undefined && { requestBody: toValue(payload.requestBody) }),
    ...(payload.responseBody !== undefined && { responseBody: toValue(payload.responseBody) }),
  });
}

function toProtoCost(cost: CostBreakdown): MessageInitShape<typeof CostBreakdownSchema> {
  return {
    inputNanoUsd: cost.inputNanoUsd,
    outputNanoUsd: cost.outputNanoUsd,
    cacheCreationNanoUsd: cost.cacheCreationNanoUsd,
    cacheReadNanoUsd: cost.cacheReadNanoUsd,
    cacheNanoUsd: cost.cacheNanoUsd,
    requestNanoUsd: cost.requestNanoUsd,
    totalNanoUsd: cost.totalNanoUsd,
  };
}

function toProtoPrice(price: Price): MessageInitShape<typeof PriceSchema> {
  return {
    tiers: price.tiers.map(({ upToTokens, ...tier }) => ({
      ...tier,
      ...(upToTokens !== undefined && { upToTokens: BigInt(upToTokens) }),
      cacheTtlPricing: [...tier.cacheTtlPricing],
    })),
    ...(price.requestNanoUsd !== undefined && { requestNanoUsd: price.requestNanoUsd }),
  };
}

function toValue(json: JsonValue) {
  return fromJson(ValueSchema, json);
}

/** A moment, microseconds since 1970. */
export function toTimestamp(timeUs: number): Timestamp {
  const seconds = Math.floor(timeUs / 1_000_000);
  const nanos = (timeUs - seconds * 1_000_000) * 1_000;
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos });
}
