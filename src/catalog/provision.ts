import { createHash } from "node:crypto";
import type { ApiKey, Budget, BudgetScope, User } from "./types.js";

/** A budget that every provisioned entry of a kind starts with. */
export interface DefaultBudget
  extends Pick<
    Budget,
    "measure" | "limit" | "window" | "enforcement" | "alertPercents" | "onUnavailable"
  > {
  /** Tells it from the other defaults: lower-case letters, digits and hyphens. */
  readonly name: string;
}

/** What is created when a check names what the catalog does not know. */
export interface AutoProvision {
  readonly users: boolean;
  readonly apiKeys: boolean;
  readonly userBudgets: readonly DefaultBudget[];
  readonly apiKeyBudgets: readonly DefaultBudget[];
  /** Users and keys that one process creates in a minute at most, 1 to 60,000. */
  readonly maxPerMinute: number;
}

/** Entries that are provisioned together. */
export interface ProvisionedEntries {
  readonly users: readonly User[];
  readonly apiKeys: readonly ApiKey[];
  readonly budgets: readonly Budget[];
}

/** What one process creates in a minute by default. */
export const DEFAULT_MAX_PER_MINUTE = 600;

/** Nothing is created: the default. */
export const NO_PROVISION: AutoProvision = Object.freeze({
  users: false,
  apiKeys: false,
  userBudgets: [],
  apiKeyBudgets: [],
  maxPerMinute: DEFAULT_MAX_PER_MINUTE,
});

/** Longest id of a budget, in characters. */
const MAX_BUDGET_ID_LENGTH = 200;

/** Makes a user of whom nothing is known but the id. */
export function provisionedUser(userId: string): User {
  return {
    userId,
    email: "",
    username: "",
    role: "USER",
    active: true,
    expireTimeMs: null,
    allowedModels: undefined,
    allowedProviders: undefined,
  };
}

/** Makes an ordinary key of which nothing is known but its id and its owner. */
export function provisionedApiKey(apiKeyId: string, userId: string): ApiKey {
  return {
    apiKeyId,
    userId,
    kind: "ORDINARY",
    name: "",
    active: true,
    expireTimeMs: null,
    allowedModels: undefined,
    allowedProviders: undefined,
  };
}

/** Makes the budgets that a new user or key starts with. */
export function provisionedBudgets(
  scope: "USER" | "API_KEY",
  subject: string,
  defaults: readonly DefaultBudget[],
): Budget[] {
  return defaults.map(({ name, ...content }) => ({
    ...content,
    budgetId: budgetIdOf(scope, subject, { name, measure: content.measure }),
    scope,
    subject,
    expireTimeMs: null,
    active: true,
  }));
}

/**
 * The same for the same subject and default, in every process: one that is deleted and provisioned
 * anew goes on with what it had spent. Scope and measure are in it, so that it never means another.
 */
function budgetIdOf(
  scope: BudgetScope,
  subject: string,
  { name, measure }: Pick<DefaultBudget, "name" | "measure">,
): string {
  const prefix = `auto:${scope}:${measure}:${name}:`.toLowerCase();
  if (prefix.length + [...subject].length <= MAX_BUDGET_ID_LENGTH) return prefix + subject;
  return prefix + createHash("sha256").update(subject).digest("hex");
}
