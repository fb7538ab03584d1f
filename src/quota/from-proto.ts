import type { Duration } from "@bufbuild/protobuf/wkt";
import type {
  CheckQuotaRequest,
  ExtendReservationRequest,
} from "../../gen/tally/v1/quota_checker_pb.js";
import type { CheckRequest } from "./check.js";
import type { Expectation } from "./expectation.js";
import type { ExtensionRequest } from "./extension.js";
import type { Reservation } from "./reservation.js";

const DEFAULT_TTL_MS = 600_000;

/** Reads a valid check. */
export function fromProtoCheckRequest(request: CheckQuotaRequest): CheckRequest {
  const { expectation, reservationTtl } = request;
  // Field by field: a spread would take as long as the rest of a check.
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
    reservationTtlMs: reservationTtl ? toMs(reservationTtl) : DEFAULT_TTL_MS,
    costNanoUsd: expectation.case === "estimatedCostNanoUsd" ? expectation.value : undefined,
    estimate: estimateOf(expectation),
    tokens: request.estimatedTokens,
  };
}

/** Reads a valid extension. */
export function fromProtoExtendRequest(
  request: ExtendReservationRequest,
  reservation: Reservation,
): ExtensionRequest {
  const { reservationTtl } = request;
  const isExpecting =
    request.expectation.case !== undefined || request.estimatedTokens !== undefined;
  return {
    reservation,
    expectation: isExpecting ? toExpectation(request) : undefined,
    ttlMs: reservationTtl && toMs(reservationTtl),
  };
}

function toExpectation(request: ExtendReservationRequest): Expectation {
  const { expectation } = request;
  return {
    provider: request.provider,
    model: request.model,
    apiFormat: request.apiFormat,
    providerKeyId: request.providerApiKeyId,
    costNanoUsd: expectation.case === "estimatedCostNanoUsd" ? expectation.value : undefined,
    estimate: estimateOf(expectation),
    tokens: request.estimatedTokens,
  };
}

function toMs({ seconds, nanos }: Duration): number {
  return Number(seconds) * 1_000 + Math.trunc(nanos / 1_000_000);
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
