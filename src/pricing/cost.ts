import { type BillingNote, billingNote } from "./billing-note.js";
import { type CostBreakdown, multiplyCost, ZERO_COST } from "./cost-breakdown.js";
import { listCost } from "./list-cost.js";
import type { PriceVersion } from "./price.js";
import type { FailedRequestBilling, PricingTerms } from "./pricing-terms.js";
import { contextTokens, selectTierIndex } from "./tier.js";
import type { TokenCounts } from "./tokens.js";

/** What pricing needs to know about one request. */
export interface CostInput {
  /** The price and the other terms, from the price book. */
  readonly terms: PricingTerms;
  readonly tokens: TokenCounts;
  /** Whether the request failed, see `isFailedRequest`. */
  readonly failed: boolean;
  /** Wire format of the API; CLAUDE formats count cache writes as context. */
  readonly apiFormat?: string;
  /** Time to live of the prompt cache entry, minutes; chooses cache prices by time to live. */
  readonly cacheTtlMinutes?: number;
  /** Whether the tier follows the context; false: the first tier. Default true. */
  readonly useTieredPricing?: boolean;
}

/** What one request cost and by which rules. */
export interface PricedCost {
  /** By the price list. */
  readonly list: CostBreakdown;
  /** List times the rate multiplier, part by part; all zero for a free tier. */
  readonly actual: CostBreakdown;
  /** The multiplier that applies to the provider key, decimal text. */
  readonly rateMultiplier: string;
  /** The price list entry that was applied. Unset when there was none. */
  readonly priceVersion: PriceVersion | undefined;
  /** Index of the applied tier in the price. Unset when there was no price. */
  readonly tierIndex: number | undefined;
  /** Why it cost nothing, or less than its tokens at the price. */
  readonly billingNote: BillingNote;
  /** The rule that was applied to a failed request. Unset for one that did not fail. */
  readonly failedRequestBilling: FailedRequestBilling | undefined;
}

/**
 * Prices one request: list cost at the tier of its context, actual cost after the rate
 * multiplier. Pure and exact; both breakdowns always add up.
 *
 * @throws CostOutOfRangeError when a total passes 2^63 - 1 nano-USD
 */
export function computeCost(input: CostInput): PricedCost {
  const { terms, failed } = input;
  const priceVersion = terms.lookup.outcome === "PRICED" ? terms.lookup.version : undefined;
  const tierIndex = priceVersion === undefined ? undefined : chooseTier(priceVersion, input);
  const list = listCostOf(input, priceVersion, tierIndex);
  const isFree = terms.billingType === "FREE_TIER";
  return {
    list,
    actual: isFree ? ZERO_COST : multiplyCost(list, terms.rateMultiplier),
    rateMultiplier: terms.rateMultiplier.text,
    priceVersion,
    tierIndex,
    billingNote: billingNote(terms, failed),
    failedRequestBilling: failed ? terms.failedRequestBilling : undefined,
  };
}

function chooseTier({ price }: PriceVersion, input: CostInput): number {
  if (input.useTieredPricing === false) return 0;
  return selectTierIndex(price.tiers, contextTokens(input.tokens, input.apiFormat));
}

function listCostOf(
  input: CostInput,
  priceVersion: PriceVersion | undefined,
  tierIndex: number | undefined,
): CostBreakdown {
  const { failed, tokens, cacheTtlMinutes } = input;
  const failureRule = failed ? input.terms.failedRequestBilling : undefined;
  const tier = priceVersion?.price.tiers[tierIndex ?? 0];
  if (tier === undefined || failureRule === "NONE") return ZERO_COST;
  return listCost({
    tier,
    tokens,
    cacheTtlMinutes,
    requestNanoUsd: failed ? 0n : (priceVersion?.price.requestNanoUsd ?? 0n),
    paysOutput: failureRule !== "PROMPT_ONLY",
  });
}
