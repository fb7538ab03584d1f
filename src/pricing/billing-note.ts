import type { FailedRequestBilling, PricingTerms, UnpricedReason } from "./pricing-terms.js";

/** Why a record cost nothing, or less than its tokens at the price; NONE: it was priced in full. */
export type BillingNote =
  | "NONE"
  | UnpricedReason
  | "FREE_TIER"
  | "FAILED_REQUEST_USAGE"
  | "FAILED_REQUEST_PROMPT_ONLY"
  | "FAILED_REQUEST_NOT_BILLED";

const FAILURE_NOTES: Readonly<Record<FailedRequestBilling, BillingNote>> = {
  USAGE: "FAILED_REQUEST_USAGE",
  PROMPT_ONLY: "FAILED_REQUEST_PROMPT_ONLY",
  NONE: "FAILED_REQUEST_NOT_BILLED",
};

/** Whether a request failed for pricing: status_code of 400 or more, or an error message. */
export function isFailedRequest(statusCode: number, errorMessage = ""): boolean {
  return statusCode >= 400 || errorMessage !== "";
}

/**
 * The one note of a record. Of several reasons that which leaves the least to pay is told: no
 * price, a failed request that is not billed, a free tier, a failed request billed in part.
 */
export function billingNote(terms: PricingTerms, failed: boolean): BillingNote {
  if (terms.lookup.outcome !== "PRICED") return terms.lookup.outcome;
  if (failed && terms.failedRequestBilling === "NONE") return FAILURE_NOTES.NONE;
  if (terms.billingType === "FREE_TIER") return "FREE_TIER";
  return failed ? FAILURE_NOTES[terms.failedRequestBilling] : "NONE";
}
