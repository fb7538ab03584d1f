/**
 * Token counts of one request. Counts are `number`: each is a whole number up to 2^40 and
 * their sum up to 2^42, far inside what a double holds exactly.
 */
import { type FieldViolation, invalidFields, violation } from "../errors.js";

/** The most tokens of one kind in one request: 2^40. */
export const MAX_TOKENS = 2 ** 40;

/**
 * How `inputTokens` was counted: without cached tokens (Anthropic), or with them (OpenAI, Gemini).
 */
export type TokenConvention = "CACHE_EXCLUSIVE" | "CACHE_INCLUSIVE";

/** Tokens written to the prompt cache with one time to live. */
export interface CacheCreation {
  /** Time to live, minutes, 1 or more. */
  readonly ttlMinutes: number;
  /** Tokens written, 0 to 2^40. */
  readonly tokens: number;
}

/** Token counts as the gateway tells them. */
export interface ReportedTokens {
  /** Prompt tokens, counted as `tokenConvention` says. */
  readonly inputTokens: number;
  /** Completion tokens. */
  readonly outputTokens: number;
  /** Tokens written to the prompt cache. Unset: the sum of `cacheCreations`. */
  readonly cacheCreationInputTokens?: number;
  /** Tokens read from the prompt cache. Unset: 0. */
  readonly cacheReadInputTokens?: number;
  /**
   * The written tokens by time to live; adds up to `cacheCreationInputTokens` when that is set
   * too.
   */
  readonly cacheCreations?: readonly CacheCreation[];
  /** Required when cached tokens are given. */
  readonly tokenConvention?: TokenConvention;
}

/** Token counts as they are stored and priced: input is always without cached tokens. */
export interface TokenCounts {
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheCreationInputTokens: number;
  readonly cacheReadInputTokens: number;
  /** The written tokens by time to live, where they are known; else empty. */
  readonly cacheCreations: readonly CacheCreation[];
  /** input + output + cache creation + cache read, at most 2^42. */
  readonly totalTokens: number;
}

/** Every rule that the counts break, by the contract's field names; empty for valid ones. */
export function tokenViolations(reported: ReportedTokens): FieldViolation[] {
  const found: FieldViolation[] = [];
  const { cacheCreationInputTokens: creation, cacheReadInputTokens: read } = reported;
  const portions = reported.cacheCreations ?? [];
  checkCount(found, "input_tokens", reported.inputTokens);
  checkCount(found, "output_tokens", reported.outputTokens);
  if (creation !== undefined) checkCount(found, "cache_creation_input_tokens", creation);
  if (read !== undefined) checkCount(found, "cache_read_input_tokens", read);
  portions.forEach((portion, index) => {
    checkCount(found, `cache_creations[${index}].tokens`, portion.tokens);
    if (!Number.isSafeInteger(portion.ttlMinutes) || portion.ttlMinutes < 1) {
      const field = `cache_creations[${index}].ttl_minutes`;
      found.push(violation(field, portion.ttlMinutes, "must be a whole number from 1"));
    }
  });
  if (found.length === 0) checkSums(found, reported);
  return found;
}

/**
 * Brings reported counts into the stored form: an inclusive input is reduced by its cached
 * tokens, a missing total of cache writes is the sum of its portions.
 *
 * @throws DomainError INVALID_FIELD with every violation, when there is one
 */
export function normalizeTokens(reported: ReportedTokens): TokenCounts {
  const violations = tokenViolations(reported);
  if (violations.length > 0) throw invalidFields(violations);
  const cacheCreations = reported.cacheCreations ?? [];
  const creation = reported.cacheCreationInputTokens ?? sumTokens(cacheCreations);
  const read = reported.cacheReadInputTokens ?? 0;
  const cached = reported.tokenConvention === "CACHE_INCLUSIVE" ? creation + read : 0;
  const input = reported.inputTokens - cached;
  return {
    inputTokens: input,
    outputTokens: reported.outputTokens,
    cacheCreationInputTokens: creation,
    cacheReadInputTokens: read,
    cacheCreations,
    totalTokens: input + reported.outputTokens + creation + read,
  };
}

/** The rules between counts; they mean something only when each count is valid by itself. */
function checkSums(found: FieldViolation[], reported: ReportedTokens): void {
  const portions = reported.cacheCreations ?? [];
  const sum = sumTokens(portions);
  const creation = reported.cacheCreationInputTokens ?? sum;
  if (sum > MAX_TOKENS) {
    found.push(violation("cache_creations", sum, `must add up to at most ${MAX_TOKENS}`));
  } else if (portions.length > 0 && sum !== creation) {
    const rule = `must add up to cache_creation_input_tokens, ${creation}`;
    found.push(violation("cache_creations", sum, rule));
  }
  const cached = creation + (reported.cacheReadInputTokens ?? 0);
  if (reported.tokenConvention === undefined && (cached > 0 || portions.length > 0)) {
    const rule = "is required when cache tokens are given";
    found.push(violation("token_convention", undefined, rule));
  }
  if (reported.tokenConvention === "CACHE_INCLUSIVE" && cached > reported.inputTokens) {
    const rule = `must be at least the cached tokens, ${cached}, with CACHE_INCLUSIVE`;
    found.push(violation("input_tokens", reported.inputTokens, rule));
  }
}

function sumTokens(portions: readonly CacheCreation[]): number {
  let sum = 0;
  for (const portion of portions) sum += portion.tokens;
  return sum;
}

function checkCount(found: FieldViolation[], field: string, count: number): void {
  if (!Number.isSafeInteger(count) || count < 0 || count > MAX_TOKENS) {
    found.push(violation(field, count, `must be a whole number from 0 to ${MAX_TOKENS}`));
  }
}
