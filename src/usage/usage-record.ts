import type { BillingNote } from "../pricing/billing-note.js";
import type { CostBreakdown } from "../pricing/cost-breakdown.js";
import type { TokenConvention, TokenCounts } from "../pricing/tokens.js";
import type { Reservation } from "../quota/reservation.js";

/** Where a request is in its life; COMPLETED and FAILED are final. */
export type UsageStatus = "PENDING" | "STREAMING" | "COMPLETED" | "FAILED";

/** What a record names that the catalog does not know. */
export type UnknownSubject = "USER" | "API_KEY" | "PROVIDER" | "MODEL";

/** A JSON value, as headers, bodies and metadata hold it. */
export type JsonValue = string | number | boolean | null | JsonValue[] | JsonObject;
/** A JSON object. */
export type JsonObject = { [key: string]: JsonValue };

/** Headers and bodies of one request; what is unset was not given or is not kept. */
export interface UsagePayload {
  readonly requestHeaders?: Readonly<Record<string, string>>;
  readonly providerRequestHeaders?: Readonly<Record<string, string>>;
  readonly responseHeaders?: Readonly<Record<string, string>>;
  readonly requestBody?: JsonValue;
  readonly responseBody?: JsonValue;
}

/**
 * What a gateway told about one request, with every default filled in and its tokens brought into
 * the stored form. Texts are "" where nothing was given. Times are microseconds since 1970, the
 * precision that the database keeps.
 */
export interface UsageSubmission {
  readonly requestId: string;
  readonly userId: string;
  readonly apiKeyId: string;
  readonly provider: string;
  readonly model: string;
  readonly targetModel: string;
  readonly requestType: string;
  readonly apiFormat: string;
  readonly isStream: boolean;
  readonly status: UsageStatus;
  readonly statusCode: number;
  readonly errorMessage: string;
  readonly providerId: string;
  readonly providerEndpointId: string;
  readonly providerApiKeyId: string;
  readonly tokens: TokenCounts;
  /** Unset: not given, which is only allowed without cached tokens. */
  readonly tokenConvention: TokenConvention | undefined;
  readonly cacheTtlMinutes: number | undefined;
  readonly useTieredPricing: boolean;
  readonly responseTimeMs: number | undefined;
  readonly firstByteTimeMs: number | undefined;
  /** When the request arrived. */
  readonly createTimeUs: number;
  /** Whether createTimeUs was told, rather than taken from the clock. */
  readonly isCreateTimeGiven: boolean;
  readonly excludeFromBudgets: boolean;
  /** Names the attempts that are one request, or "". */
  readonly operationId: string;
  readonly attemptNumber: number | undefined;
  /** Whether another attempt follows, so that this one is not counted as a request. */
  readonly isRetried: boolean;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: JsonObject | undefined;
  readonly payload: UsagePayload | undefined;
}

/** What one record took from one budget. */
export interface BudgetCharge {
  readonly budgetId: string;
  /** Start of the budget's period, milliseconds since 1970. */
  readonly periodStartMs: number;
  /** In the budget's measure. */
  readonly amount: bigint;
}

/** One request as it is stored. */
export interface UsageRecord extends Omit<UsageSubmission, "isCreateTimeGiven" | "payload"> {
  /** By the price list, nano-USD. */
  readonly cost: CostBreakdown;
  /** After the provider key's rate multiplier, nano-USD. */
  readonly actualCost: CostBreakdown;
  /** Decimal text. */
  readonly rateMultiplier: string;
  /** Number of the price list entry's version. Unset: the record was not priced. */
  readonly priceVersion: bigint | undefined;
  readonly priceTierIndex: number | undefined;
  readonly billingNote: BillingNote;
  readonly unknownSubjects: readonly UnknownSubject[];
  readonly charges: readonly BudgetCharge[];
  /** UUID of the reservation that came with this record, or "". */
  readonly reservationId: string;
  /** That reservation, while the record is unfinished: it ends when the record is finished. */
  readonly openReservation: Reservation | undefined;
  /** Whether it was failed because nothing was heard of it; its late record completes it. */
  readonly isSwept: boolean;
  /** Identifies what the gateway told; see `fingerprint`. */
  readonly fingerprint: string;
  /** Counts every change of the row, from 1. */
  readonly version: bigint;
  /** 0 while unfinished, 1 when first finished, one more with every revision. */
  readonly revision: bigint;
  readonly updateTimeUs: number;
  readonly finishTimeUs: number | undefined;
}

/** The provider of a record that was started before it was known who would serve it. */
export const PENDING_PROVIDER = "pending";

/** Whether a status is final. */
export function isFinished(status: UsageStatus): boolean {
  return status === "COMPLETED" || status === "FAILED";
}
