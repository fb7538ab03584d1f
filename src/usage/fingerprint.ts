import { hash } from "node:crypto";
import type { JsonValue, UsageSubmission } from "./usage-record.js";

/**
 * Identifies the content of a submission, so that a retry is told from other content under the
 * same id. Two submissions have the same fingerprint when they say the same, whatever order their
 * maps came in and whether a default was written out. The arrival time counts only when it was
 * told; headers and bodies count, whether they are stored or not.
 *
 * @returns 43 characters, SHA-256 in base64url
 */
export function fingerprint(submission: UsageSubmission): string {
  const { tokens, payload } = submission;
  const content: unknown[] = [
    submission.userId,
    submission.apiKeyId,
    submission.provider,
    submission.model,
    submission.targetModel,
    submission.requestType,
    submission.apiFormat,
    submission.isStream,
    submission.status,
    submission.statusCode,
    submission.errorMessage,
    submission.providerId,
    submission.providerEndpointId,
    submission.providerApiKeyId,
    tokens.inputTokens,
    tokens.outputTokens,
    tokens.cacheCreationInputTokens,
    tokens.cacheReadInputTokens,
    tokens.cacheCreations.map(({ ttlMinutes, tokens: count }) => [ttlMinutes, count]),
    submission.cacheTtlMinutes,
    submission.useTieredPricing,
    submission.responseTimeMs,
    submission.firstByteTimeMs,
    submission.isCreateTimeGiven ? submission.createTimeUs : null,
    submission.excludeFromBudgets,
    sortedEntries(submission.tags),
  ];
  const { operationId, attemptNumber, isRetried } = submission;
  if (operationId) content.push("attempt", operationId, attemptNumber ?? null, isRetried);
  if (submission.metadata) content.push("metadata", canonical(submission.metadata));
  if (payload) {
    content.push("payload", canonical(payload as JsonValue));
  }
  return hash("sha256", JSON.stringify(content), "base64url");
}

/** The same value with the keys of every object in one order. */
function canonical(value: JsonValue | undefined): unknown {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return value.map(canonical);
  // Entries in an array rather than an object: keys like "__proto__" or "7" keep their place.
  return { entries: sortedEntries(value).map(([key, item]) => [key, canonical(item)]) };
}

function sortedEntries<T>(map: Readonly<Record<string, T>>): [string, T][] {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
