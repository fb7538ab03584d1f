/**
 * The catalog: who may spend, on what, at which prices, within which budgets. Times are
 * milliseconds since 1970, money is nano-USD, texts are "" where nothing is given.
 */
import type { Price } from "../pricing/price.js";
import type { BillingType, FailedRequestBilling } from "../pricing/pricing-terms.js";
import type { BudgetWindow, BudgetWindowKind } from "../quota/calendar.js";

export type { BillingType, BudgetWindow, BudgetWindowKind, FailedRequestBilling };

/** USER: bound by budgets. ADMIN: exempt from budgets on users. */
export type UserRole = "USER" | "ADMIN";

/** Somebody who spends. */
export interface User {
  readonly userId: string;
  readonly email: string;
  readonly username: string;
  readonly role: UserRole;
  /** Whether the user may spend. */
  readonly active: boolean;
  /** From when on the user may not spend any more. Null: never. */
  readonly expireTimeMs: number | null;
  /** The only models that the user may use. Undefined: all. */
  readonly allowedModels: ReadonlySet<string> | undefined;
  /** The only providers that the user may use. Undefined: all. */
  readonly allowedProviders: ReadonlySet<string> | undefined;
}

/** ORDINARY: charges its owner's budgets and the key's own. STANDALONE: prepaid, the key's own alone. */
export type ApiKeyKind = "ORDINARY" | "STANDALONE";

/** A key that callers use at the gateway. */
export interface ApiKey {
  readonly apiKeyId: string;
  /** Owner; of a standalone key its creator, or "". */
  readonly userId: string;
  readonly kind: ApiKeyKind;
  readonly name: string;
  /** Whether the key may spend. */
  readonly active: boolean;
  /** From when on the key may not spend any more. Null: never. */
  readonly expireTimeMs: number | null;
  /** The only models that the key may use. Undefined: all. */
  readonly allowedModels: ReadonlySet<string> | undefined;
  /** The only providers that the key may use. Undefined: all. */
  readonly allowedProviders: ReadonlySet<string> | undefined;
}

/** Who serves LLM requests. */
export interface Provider {
  readonly provider: string;
  readonly displayName: string;
  /** Whether its requests are priced. */
  readonly active: boolean;
  readonly billingType: BillingType;
  readonly failedRequestBilling: FailedRequestBilling;
}

/** An address of a provider. */
export interface ProviderEndpoint {
  readonly providerEndpointId: string;
  readonly provider: string;
  readonly baseUrl: string;
  readonly apiFormat: string;
  readonly active: boolean;
  /** After how long without activity a request to it is stale. Null: the default, 10 minutes. */
  readonly requestTimeoutMs: number | null;
}

/** A key that the gateway uses at a provider. */
export interface ProviderKey {
  readonly providerKeyId: string;
  readonly provider: string;
  /** Its endpoint, or "". */
  readonly providerEndpointId: string;
  readonly name: string;
  /** Actual cost = list cost x this; decimal text without needless zeros, 0 to 1,000. */
  readonly rateMultiplier: string;
  readonly active: boolean;
}

/** A model that callers may name. One without an entry is active. */
export interface Model {
  readonly model: string;
  readonly displayName: string;
  /** Whether its requests are priced. */
  readonly active: boolean;
}

/** Where a price comes from: a person, or the bundled collection. */
export type PriceSource = "operator" | "genai-prices";

/** What a model costs from some moment on; model, provider and time identify the entry. */
export interface PriceEntry {
  readonly model: string;
  /** The provider whose price it is; "": every provider without its own. */
  readonly provider: string;
  /** From when on. Null: from the beginning of time. */
  readonly effectiveTimeMs: number | null;
  readonly price: Price;
  readonly source: PriceSource;
}

/** A price as it is stored. */
export interface ModelPrice extends PriceEntry {
  /** Names this content of this entry for ever; no other content of any entry has it. */
  readonly version: bigint;
}

/** What a budget applies to. */
export type BudgetScope = "USER" | "API_KEY" | "PROVIDER" | "MODEL" | "TAG" | "GLOBAL";

/** What a budget counts: nano-USD, tokens or requests. */
export type BudgetMeasure = "COST" | "TOKENS" | "REQUESTS";

/** HARD: denies what would pass the limit. SOFT: warns. */
export type BudgetEnforcement = "HARD" | "SOFT";

/** What a budget does when a check needs the database and it is away. */
export type OnUnavailable = "DENY" | "ALLOW";

/** A limit on spending. */
export interface Budget {
  readonly budgetId: string;
  readonly scope: BudgetScope;
  /** Id of the user or key, name of the provider or model, "key=value" of a tag; "" for GLOBAL. */
  readonly subject: string;
  readonly measure: BudgetMeasure;
  /** The most that may be spent in a period, in the measure's unit. Null: unlimited. */
  readonly limit: bigint | null;
  readonly window: BudgetWindow;
  readonly enforcement: BudgetEnforcement;
  /** Percent of the limit at which to alert, ascending. */
  readonly alertPercents: readonly number[];
  /** From when on it allows nothing any more. Null: never. */
  readonly expireTimeMs: number | null;
  readonly onUnavailable: OnUnavailable;
  /** Whether it limits and counts. */
  readonly active: boolean;
}
