import { modelFor } from "./models.js";
import type { PlannedRequest } from "./planned-request.js";
import { createPrefixCache, type PromptTokens } from "./prefix-cache.js";
import { scramble } from "./prng.js";

/** One request of a published trace. */
export interface TraceRow {
  /** Line of the file, from 1. */
  readonly line: number;
  /** When it arrived, milliseconds after the start of the trace. */
  readonly offsetMs: number;
  /** Length of the prompt. */
  readonly promptTokens: number;
  readonly outputTokens: number;
  /** Ids of the prompt's blocks of 512 tokens; undefined where the trace knows of no cache. */
  readonly blockIds?: readonly number[];
  /** Tells conversations apart. */
  readonly conversation: number;
}

/** Users that a trace's conversations are spread over, `user-0` to `user-199`. */
export const TRACE_USERS = 200;

/** Id of the user who leads a conversation. */
export function traceUserId(conversation: number): string {
  return `user-${conversation % TRACE_USERS}`;
}

/** Id of a user's API key. */
export function traceApiKeyId(conversation: number): string {
  return `key-${conversation % TRACE_USERS}`;
}

/**
 * Makes the rows of a trace requests, in the order of the trace: user and API key by the
 * conversation's id modulo 200, model by the conversation, cached tokens by what the trace sent
 * before. Whatever a trace does not tell (times, failures) stays unset. The same trace always
 * makes the same requests.
 *
 * @param traceId beginning of every request id: `mooncake-5f0c2a9e11d4`
 */
export function createTracePlanner(
  traceId: string,
  tags: Readonly<Record<string, string>>,
): (row: TraceRow) => PlannedRequest {
  const cache = createPrefixCache();
  return (row) => {
    const { provider, model, apiFormat } = modelFor(scramble(row.conversation));
    return {
      requestId: `${traceId}-${row.line}`,
      userId: traceUserId(row.conversation),
      apiKeyId: traceApiKeyId(row.conversation),
      provider,
      model,
      apiFormat,
      ...splitByCache(row),
      outputTokens: row.outputTokens,
      promptTokens: row.promptTokens,
      maxOutputTokens: row.outputTokens,
      isStream: false,
      offsetMs: row.offsetMs,
      statusCode: 200,
      tags,
      isAbandoned: false,
    };
  };

  function splitByCache({ promptTokens, blockIds }: TraceRow): PromptTokens {
    if (blockIds !== undefined) return cache.send(promptTokens, blockIds);
    return { inputTokens: promptTokens, cacheCreationInputTokens: 0, cacheReadInputTokens: 0 };
  }
}
