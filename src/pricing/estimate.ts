import { computeCost, type PricedCost } from "./cost.js";
import type { PricingTerms } from "./pricing-terms.js";
import { normalizeTokens } from "./tokens.js";

/** What a request is expected to use at most; counts are 0 to 2^40. */
export interface UsageEstimate {
  /** Prompt tokens without cached ones. */
  readonly inputTokens: number;
  /** The most completion tokens that the request allows. */
  readonly maxOutputTokens: number;
  /** Tokens expected from the prompt cache. */
  readonly cacheReadInputTokens?: number;
  /** Tokens expected to be written to the prompt cache. */
  readonly cacheCreationInputTokens?: number;
}

/** What the estimate is for. */
export interface EstimateInput {
  readonly estimate: UsageEstimate;
  /** Wire format of the API; CLAUDE formats count cache writes as context. */
  readonly apiFormat?: string;
  /** Time to live of the prompt cache entry, minutes. */
  readonly cacheTtlMinutes?: number;
}

/**
 * What the request will cost at most if it uses no more than estimated: priced exactly as its
 * record will be, as one that succeeds, with all its output and the price per request.
 *
 * @throws DomainError on counts out of range, CostOutOfRangeError on an absurd total
 */
export function estimateCost(input: EstimateInput, terms: PricingTerms): PricedCost {
  const { estimate, ...facts } = input;
  const tokens = normalizeTokens({
    inputTokens: estimate.inputTokens,
    outputTokens: estimate.maxOutputTokens,
    cacheReadInputTokens: estimate.cacheReadInputTokens ?? 0,
    cacheCreationInputTokens: estimate.cacheCreationInputTokens ?? 0,
    tokenConvention: "CACHE_EXCLUSIVE",
  });
  return computeCost({ ...facts, terms, tokens, failed: false });
}

/**
 * The estimate for a request whose provider is not known yet: the dearest by list cost of the
 * terms it may get, the first of equal ones. Undefined when there are none.
 *
 * @throws as `estimateCost`
 */
export function estimateDearestCost(
  input: EstimateInput,
  candidates: readonly PricingTerms[],
): PricedCost | undefined {
  let dearest: PricedCost | undefined;
  for (const terms of candidates) {
    const cost = estimateCost(input, terms);
    if (dearest === undefined || cost.list.totalNanoUsd > dearest.list.totalNanoUsd) dearest = cost;
  }
  return dearest;
}
