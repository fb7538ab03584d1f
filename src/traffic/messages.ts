import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { CheckQuotaRequestSchema } from "../../gen/tally/v1/quota_checker_pb.js";
import { TokenConvention } from "../../gen/tally/v1/usage_pb.js";
import type { RecordUsageRequestSchema } from "../../gen/tally/v1/usage_recorder_pb.js";
import type { PlannedRequest } from "./planned-request.js";

/**
 * What a careful gateway asks before it sends the request: how much can it cost at most? Which
 * part of the prompt comes from the cache is not known yet, so all of it counts as written to
 * the cache, the dearest that it can be.
 */
export function toCheckRequest(
  request: PlannedRequest,
  reserve: boolean,
): MessageInitShape<typeof CheckQuotaRequestSchema> {
  return {
    requestId: request.requestId,
    userId: request.userId,
    apiKeyId: request.apiKeyId,
    provider: request.provider,
    model: request.model,
    apiFormat: request.apiFormat,
    tags: { ...request.tags },
    reserve,
    expectation: {
      case: "estimate",
      value: {
        cacheCreationInputTokens: BigInt(request.promptTokens),
        maxOutputTokens: BigInt(request.maxOutputTokens),
      },
    },
  };
}

/** What the gateway tells when the request is done. */
export function toRecordRequest(
  request: PlannedRequest,
  { createTimeMs, reservationId }: { createTimeMs: number; reservationId: string },
): MessageInitShape<typeof RecordUsageRequestSchema> {
  const { responseTimeMs, firstByteTimeMs, errorMessage } = request;
  return {
    reservationId,
    usage: {
      requestId: request.requestId,
      userId: request.userId,
      apiKeyId: request.apiKeyId,
      provider: request.provider,
      model: request.model,
      apiFormat: request.apiFormat,
      ...reportedTokens(request),
      outputTokens: BigInt(request.outputTokens),
      isStream: request.isStream,
      statusCode: request.statusCode,
      tags: { ...request.tags },
      createTime: timestampFromMs(createTimeMs),
      ...(responseTimeMs === undefined ? {} : { responseTimeMs: BigInt(responseTimeMs) }),
      ...(firstByteTimeMs === undefined ? {} : { firstByteTimeMs: BigInt(firstByteTimeMs) }),
      ...(errorMessage === undefined ? {} : { errorMessage }),
    },
  };
}

/** The prompt's tokens as the provider's API reports them: only Anthropic leaves cached ones out. */
function reportedTokens(request: PlannedRequest) {
  const { inputTokens, cacheCreationInputTokens, cacheReadInputTokens } = request;
  const isExclusive = request.apiFormat === "CLAUDE";
  const cached = cacheCreationInputTokens + cacheReadInputTokens;
  return {
    inputTokens: BigInt(isExclusive ? inputTokens : inputTokens + cached),
    cacheCreationInputTokens: BigInt(cacheCreationInputTokens),
    cacheReadInputTokens: BigInt(cacheReadInputTokens),
    tokenConvention: isExclusive
      ? TokenConvention.CACHE_EXCLUSIVE
      : TokenConvention.CACHE_INCLUSIVE,
  };
}
