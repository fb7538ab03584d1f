import { toJson } from "@bufbuild/protobuf";
import { type Timestamp, type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import {
  TokenConvention as ProtoTokenConvention,
  UsageStatus as ProtoUsageStatus,
  type UsageInput,
} from "../../gen/tally/v1/usage_pb.js";
import {
  ConflictPolicy as ProtoConflictPolicy,
  type RecordUsageRequest,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import { isFailedRequest } from "../pricing/billing-note.js";
import { normalizeTokens, type ReportedTokens, type TokenConvention } from "../pricing/tokens.js";
import type { ConflictPolicy } from "./conflict.js";
import { microsecondsOf } from "./time.js";
import {
  type JsonObject,
  type JsonValue,
  PENDING_PROVIDER,
  type UsagePayload,
  type UsageStatus,
  type UsageSubmission,
} from "./usage-record.js";

const STATUSES: Readonly<Record<ProtoUsageStatus, UsageStatus | undefined>> = {
  [ProtoUsageStatus.UNSPECIFIED]: undefined,
  [ProtoUsageStatus.PENDING]: "PENDING",
  [ProtoUsageStatus.STREAMING]: "STREAMING",
  [ProtoUsageStatus.COMPLETED]: "COMPLETED",
  [ProtoUsageStatus.FAILED]: "FAILED",
};

const CONVENTIONS: Readonly<Record<ProtoTokenConvention, TokenConvention | undefined>> = {
  [ProtoTokenConvention.UNSPECIFIED]: undefined,
  [ProtoTokenConvention.CACHE_EXCLUSIVE]: "CACHE_EXCLUSIVE",
  [ProtoTokenConvention.CACHE_INCLUSIVE]: "CACHE_INCLUSIVE",
};

/** What fills in what the gateway did not tell. */
export interface SubmissionDefaults {
  readonly makeRequestId: () => string;
  /** Microseconds since 1970. */
  readonly nowUs: () => number;
}

/** Reads a valid input and fills in every default. */
export function fromProtoUsageInput(
  input: UsageInput,
  defaults: SubmissionDefaults,
): UsageSubmission {
  const statusCode = input.statusCode ?? 200;
  const isFailed = isFailedRequest(statusCode, input.errorMessage);
  return {
    requestId: input.requestId || defaults.makeRequestId(),
    userId: input.userId,
    apiKeyId: input.apiKeyId,
    provider: input.provider,
    model: input.model,
    targetModel: input.targetModel,
    requestType: input.requestType || "chat",
    apiFormat: input.apiFormat,
    isStream: input.isStream,
    status: STATUSES[input.status] ?? (isFailed ? "FAILED" : "COMPLETED"),
    statusCode,
    errorMessage: input.errorMessage,
    providerId: input.providerId,
    providerEndpointId: input.providerEndpointId,
    providerApiKeyId: input.providerApiKeyId,
    tokens: normalizeTokens(reportedTokensOf(input)),
    tokenConvention: CONVENTIONS[input.tokenConvention],
    cacheTtlMinutes: input.cacheTtlMinutes,
    useTieredPricing: input.useTieredPricing ?? true,
    responseTimeMs: optionalNumber(input.responseTimeMs),
    firstByteTimeMs: optionalNumber(input.firstByteTimeMs),
    createTimeUs: input.createTime ? fromTimestamp(input.createTime) : defaults.nowUs(),
    isCreateTimeGiven: input.createTime !== undefined,
    excludeFromBudgets: input.excludeFromBudgets,
    operationId: input.operationId,
    attemptNumber: input.attemptNumber,
    isRetried: input.isRetried,
    tags: input.tags,
    metadata: input.metadata as JsonObject | undefined,
    payload: payloadOf(input),
  };
}

/** The token counts as they were told. */
export function reportedTokensOf(input: UsageInput): ReportedTokens {
  const tokenConvention = CONVENTIONS[input.tokenConvention];
  return {
    inputTokens: Number(input.inputTokens),
    outputTokens: Number(input.outputTokens),
    cacheCreations: input.cacheCreations.map(({ ttlMinutes, tokens }) => ({
      ttlMinutes,
      tokens: Number(tokens),
    })),
    ...(input.cacheCreationInputTokens !== undefined && {
      cacheCreationInputTokens: Number(input.cacheCreationInputTokens),
    }),
    ...(input.cacheReadInputTokens !== undefined && {
      cacheReadInputTokens: Number(input.cacheReadInputTokens),
    }),
    ...(tokenConvention && { tokenConvention }),
  };
}

/** A request that begins: PENDING, and its provider "pending" unless it is known. */
export function fromProtoStart(input: UsageInput, defaults: SubmissionDefaults): UsageSubmission {
  const submission = fromProtoUsageInput(input, defaults);
  const provider = submission.provider || PENDING_PROVIDER;
  return { ...submission, status: "PENDING", provider };
}

/** Undefined for a status that was not given. */
export function fromProtoStatus(status: ProtoUsageStatus): UsageStatus | undefined {
  return STATUSES[status];
}

/** What to do with other content under the same id. */
export function conflictPolicyOf({ conflictPolicy }: RecordUsageRequest): ConflictPolicy {
  return conflictPolicy === ProtoConflictPolicy.REJECT ? "REJECT" : "REVISE";
}

function payloadOf(input: UsageInput): UsagePayload | undefined {
  const payload: UsagePayload = {
    ...(!isEmpty(input.requestHeaders) && { requestHeaders: input.requestHeaders }),
    ...(!isEmpty(input.providerRequestHeaders) && {
      providerRequestHeaders: input.providerRequestHeaders,
    }),
    ...(!isEmpty(input.responseHeaders) && { responseHeaders: input.responseHeaders }),
    ...(input.requestBody && { requestBody: fromValue(input.requestBody) }),
    ...(input.responseBody && { responseBody: fromValue(input.responseBody) }),
  };
  return isEmpty(payload) ? undefined : payload;
}

function fromValue(value: Value): JsonValue {
  return toJson(ValueSchema, value) as JsonValue;
}

function fromTimestamp({ seconds, nanos }: Timestamp): number {
  return microsecondsOf(seconds, nanos);
}

function optionalNumber(value: bigint | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}

function isEmpty(map: object): boolean {
  for (const _ in map) return false;
  return true;
}
