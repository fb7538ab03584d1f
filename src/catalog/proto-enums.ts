/** The contract's enums as the domain names them; unspecified is the default that the contract tells. */
import {
  ApiKeyKind,
  BillingType,
  FailedRequestBilling,
  OnUnavailable,
  RequestLogLevel,
  UnpricedModelPolicy,
  UserRole,
} from "../../gen/tally/v1/catalog_pb.js";
import {
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  BudgetWindowKind,
} from "../../gen/tally/v1/usage_pb.js";
import type * as settings from "./settings.js";
import type * as domain from "./types.js";

/** Roles; unspecified: USER. */
export const USER_ROLES: Readonly<Record<UserRole, domain.UserRole>> = {
  [UserRole.UNSPECIFIED]: "USER",
  [UserRole.USER]: "USER",
  [UserRole.ADMIN]: "ADMIN",
};

/** Kinds of API keys; unspecified: ORDINARY. */
export const API_KEY_KINDS: Readonly<Record<ApiKeyKind, domain.ApiKeyKind>> = {
  [ApiKeyKind.UNSPECIFIED]: "ORDINARY",
  [ApiKeyKind.ORDINARY]: "ORDINARY",
  [ApiKeyKind.STANDALONE]: "STANDALONE",
};

/** Billing types; unspecified: PAY_AS_YOU_GO. */
export const BILLING_TYPES: Readonly<Record<BillingType, domain.BillingType>> = {
  [BillingType.UNSPECIFIED]: "PAY_AS_YOU_GO",
  [BillingType.PAY_AS_YOU_GO]: "PAY_AS_YOU_GO",
  [BillingType.MONTHLY_QUOTA]: "MONTHLY_QUOTA",
  [BillingType.FREE_TIER]: "FREE_TIER",
};

/** What failed requests are charged; unspecified: USAGE. */
export const FAILED_REQUEST_BILLINGS: Readonly<
  Record<FailedRequestBilling, domain.FailedRequestBilling>
> = {
  [FailedRequestBilling.UNSPECIFIED]: "USAGE",
  [FailedRequestBilling.USAGE]: "USAGE",
  [FailedRequestBilling.NONE]: "NONE",
  [FailedRequestBilling.PROMPT_ONLY]: "PROMPT_ONLY",
};

/** Scopes of budgets; the contract does not allow the unspecified one. */
export const BUDGET_SCOPES: Readonly<Record<BudgetScope, domain.BudgetScope>> = {
  [BudgetScope.UNSPECIFIED]: "GLOBAL",
  [BudgetScope.USER]: "USER",
  [BudgetScope.API_KEY]: "API_KEY",
  [BudgetScope.PROVIDER]: "PROVIDER",
  [BudgetScope.MODEL]: "MODEL",
  [BudgetScope.TAG]: "TAG",
  [BudgetScope.GLOBAL]: "GLOBAL",
};

/** What budgets count; unspecified: COST. */
export const BUDGET_MEASURES: Readonly<Record<BudgetMeasure, domain.BudgetMeasure>> = {
  [BudgetMeasure.UNSPECIFIED]: "COST",
  [BudgetMeasure.COST]: "COST",
  [BudgetMeasure.TOKENS]: "TOKENS",
  [BudgetMeasure.REQUESTS]: "REQUESTS",
};

/** Kinds of windows; unspecified: LIFETIME. */
export const BUDGET_WINDOW_KINDS: Readonly<Record<BudgetWindowKind, domain.BudgetWindowKind>> = {
  [BudgetWindowKind.UNSPECIFIED]: "LIFETIME",
  [BudgetWindowKind.LIFETIME]: "LIFETIME",
  [BudgetWindowKind.DAY]: "DAY",
  [BudgetWindowKind.WEEK]: "WEEK",
  [BudgetWindowKind.MONTH]: "MONTH",
  [BudgetWindowKind.EVERY_N_DAYS]: "EVERY_N_DAYS",
};

/** What budgets do at their limit; unspecified: HARD. */
export const BUDGET_ENFORCEMENTS: Readonly<Record<BudgetEnforcement, domain.BudgetEnforcement>> = {
  [BudgetEnforcement.UNSPECIFIED]: "HARD",
  [BudgetEnforcement.HARD]: "HARD",
  [BudgetEnforcement.SOFT]: "SOFT",
};

/** What budgets do without the database; unspecified: DENY. */
export const ON_UNAVAILABLES: Readonly<Record<OnUnavailable, domain.OnUnavailable>> = {
  [OnUnavailable.UNSPECIFIED]: "DENY",
  [OnUnavailable.DENY]: "DENY",
  [OnUnavailable.ALLOW]: "ALLOW",
};

/** Log levels; unspecified: not given. */
export const REQUEST_LOG_LEVELS: Readonly<
  Record<RequestLogLevel, settings.RequestLogLevel | undefined>
> = {
  [RequestLogLevel.UNSPECIFIED]: undefined,
  [RequestLogLevel.BASIC]: "BASIC",
  [RequestLogLevel.HEADERS]: "HEADERS",
  [RequestLogLevel.FULL]: "FULL",
};

/** What models without a price get; unspecified: not given. */
export const UNPRICED_MODEL_POLICIES: Readonly<
  Record<UnpricedModelPolicy, settings.UnpricedModelPolicy | undefined>
> = {
  [UnpricedModelPolicy.UNSPECIFIED]: undefined,
  [UnpricedModelPolicy.DENY]: "DENY",
  [UnpricedModelPolicy.ALLOW]: "ALLOW",
};
