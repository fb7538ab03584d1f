import type { PriceVersion } from "./price.js";
import type { RateMultiplier } from "./rate-multiplier.js";

/** How a provider is paid; only FREE_TIER matters to pricing: its actual cost is 0. */
export type BillingType = "PAY_AS_YOU_GO" | "MONTHLY_QUOTA" | "FREE_TIER";

/**
 * What a failed request is charged: USAGE its tokens, NONE nothing, PROMPT_ONLY its input and
 * cached tokens. None of them charges the price per request.
 */
export type FailedRequestBilling = "USAGE" | "NONE" | "PROMPT_ONLY";

/** Why there is no price. */
export type UnpricedReason = "NO_PRICE" | "MODEL_INACTIVE" | "PROVIDER_INACTIVE";

/** What the price list says about a model at a provider at a time. */
export type PriceLookup =
  | { readonly outcome: "PRICED"; readonly version: PriceVersion }
  | { readonly outcome: UnpricedReason };

/** Everything that pricing needs to know beside the request itself. */
export interface PricingTerms {
  readonly lookup: PriceLookup;
  readonly billingType: BillingType;
  readonly failedRequestBilling: FailedRequestBilling;
  readonly rateMultiplier: RateMultiplier;
}

/** Which terms are asked for. */
export interface TermsQuery {
  /** The model as the record names it. */
  readonly model: string;
  /** The provider. Unset or empty: the model's global price. */
  readonly provider?: string;
  /** The provider key, whose rate multiplier applies. Unset or unknown: multiplier 1. */
  readonly providerKeyId?: string;
  /** When the request arrived, milliseconds since 1970. */
  readonly atMs: number;
}

/** The view of the catalog that pricing needs; answers from memory. */
export interface PricingCatalog {
  /** The terms of one request. */
  findTerms(query: TermsQuery): PricingTerms;
  /**
   * The terms of every provider that has its own price for the model, and the global ones, with
   * multiplier 1; what prices nothing is left out. For a check that does not know its provider yet.
   */
  findCandidates(model: string, atMs: number): PricingTerms[];
}
