import { isFailedRequest } from "../pricing/billing-note.js";
import { computeCost, type PricedCost } from "../pricing/cost.js";
import type { PricingCatalog, PricingTerms } from "../pricing/pricing-terms.js";
import type { UsageSubmission } from "./usage-record.js";

/** What the price of a request depends on. */
export type PricedUsage = Pick<
  UsageSubmission,
  | "model"
  | "provider"
  | "providerApiKeyId"
  | "createTimeUs"
  | "tokens"
  | "statusCode"
  | "errorMessage"
  | "apiFormat"
  | "useTieredPricing"
  | "cacheTtlMinutes"
>;

/** The terms of today's price book for a request, with the price of its time of arrival. */
export function termsOf(pricing: PricingCatalog, usage: PricedUsage): PricingTerms {
  return pricing.findTerms({
    model: usage.model,
    provider: usage.provider,
    providerKeyId: usage.providerApiKeyId,
    atMs: usage.createTimeUs / 1_000,
  });
}

/** Prices a request by its terms. @throws CostOutOfRangeError */
export function priceUsage(usage: PricedUsage, terms: PricingTerms): PricedCost {
  const { cacheTtlMinutes } = usage;
  const facts = {
    terms,
    tokens: usage.tokens,
    failed: isFailedRequest(usage.statusCode, usage.errorMessage),
    apiFormat: usage.apiFormat,
    useTieredPricing: usage.useTieredPricing,
  };
  return computeCost(cacheTtlMinutes === undefined ? facts : { ...facts, cacheTtlMinutes });
}
