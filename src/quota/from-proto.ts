import type { CheckQuotaRequest } from "../../gen/tally/v1/quota_checker_pb.js";
import type { CheckRequest } from "./check.js";

const DEFAULT_TTL_MS = 600_000;

/** Reads a valid check. */
export function fromProtoCheckRequest(request: CheckQuotaRequest): CheckRequest {
  const { expectation, reservationTtl } = request;
  return {
    userId: request.userId,
    apiKeyId: request.apiKeyId,
    provider: request.provider,
    model: request.model,
    tags: request.tags,
    apiFormat: request.apiFormat,
    providerKeyId: request.providerApiKeyId,
    requestId: request.requestId,
    reserve: request.reserve,
    reservationTtlMs: reservationTtl
      ? Number(reservationTtl.seconds) * 1_000 + Math.trunc(reservationTtl.nanos / 1_000_000)
      : DEFAULT_TTL_MS,
    costNanoUsd: expectation.case === "estimatedCostNanoUsd" ? expectation.value : undefined,
    estimate: estimateOf(expectation),
    tokens: request.estimatedTokens,
  };
}

function estimateOf(expectation: CheckQuotaRequest["expectation"]): CheckRequest["estimate"] {
  if (expectation.case !== "estimate") return undefined;
  const { value } = expectation;
  return {
    inputTokens: Number(value.inputTokens),
    maxOutputTokens: Number(value.maxOutputTokens),
    cacheReadInputTokens: Number(value.cacheReadInputTokens),
    cacheCreationInputTokens: Number(value.cacheCreationInputTokens),
  };
}
