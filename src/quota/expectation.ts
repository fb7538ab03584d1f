import { estimateCost, estimateDearestCost, type UsageEstimate } from "../pricing/estimate.js";
import type { PricingCatalog } from "../pricing/pricing-terms.js";
import type { SpendAmounts } from "./spend.js";

/** What a check expects its request to use, as the caller told it. */
export interface Expectation {
  readonly model: string;
  /** "" when it is not known yet: the dearest that the request may get is expected. */
  readonly provider: string;
  readonly providerKeyId: string;
  readonly apiFormat: string;
  /** Expected list cost, nano-USD; wins over tokens. */
  readonly costNanoUsd: bigint | undefined;
  /** Expected tokens, to be priced. */
  readonly estimate: UsageEstimate | undefined;
  /** Expected tokens for budgets that count tokens. Unset: the sum of the estimate. */
  readonly tokens: bigint | undefined;
}

/** What is expected, in every measure. */
export interface ExpectedSpend extends SpendAmounts {
  /** Whether a price was wanted and there is none. */
  readonly isUnpriced: boolean;
}

/**
 * Puts an expectation into amounts.
 *
 * @throws CostOutOfRangeError when the estimate costs more than 64 bits hold
 */
export function expectedSpend(
  pricing: PricingCatalog,
  expectation: Expectation,
  nowMs: number,
): ExpectedSpend {
  const { costNanoUsd, estimate } = expectation;
  const tokens = expectation.tokens ?? sumTokens(estimate);
  if (costNanoUsd !== undefined || !estimate) {
    const cost = costNanoUsd ?? 0n;
    return { listNanoUsd: cost, actualNanoUsd: cost, tokens, isUnpriced: false };
  }
  const priced = price(pricing, expectation, estimate, nowMs);
  return {
    listNanoUsd: priced?.list.totalNanoUsd ?? 0n,
    actualNanoUsd: priced?.actual.totalNanoUsd ?? 0n,
    tokens,
    isUnpriced: priced?.priceVersion === undefined,
  };
}

function price(
  pricing: PricingCatalog,
  { model, provider, providerKeyId, apiFormat }: Expectation,
  estimate: UsageEstimate,
  nowMs: number,
) {
  const input = { estimate, apiFormat };
  if (provider === "") return estimateDearestCost(input, pricing.findCandidates(model, nowMs));
  return estimateCost(input, pricing.findTerms({ model, provider, providerKeyId, atMs: nowMs }));
}

function sumTokens(estimate: UsageEstimate | undefined): bigint {
  if (!estimate) return 0n;
  const { cacheReadInputTokens = 0, cacheCreationInputTokens = 0 } = estimate;
  const sum =
    estimate.inputTokens +
    estimate.maxOutputTokens +
    cacheReadInputTokens +
    cacheCreationInputTokens;
  return BigInt(sum);
}
