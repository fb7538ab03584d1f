import { createBudgetIndex } from "../../src/catalog/budget-index.js";
import type { ApiKey, Budget, User } from "../../src/catalog/types.js";
import type { QuotaDirectory } from "../../src/quota/directory.js";

/** A user that may do anything, but for what is given. */
export function makeUser(userId: string, fields: Partial<User> = {}): User {
  return {
    userId,
    email: "",
    username: "",
    role: "USER",
    active: true,
    expireTimeMs: null,
    allowedModels: undefined,
    allowedProviders: undefined,
    ...fields,
  };
}

/** An ordinary key of the user, but for what is given. */
export function makeKey(apiKeyId: string, userId: string, fields: Partial<ApiKey> = {}): ApiKey {
  return {
    apiKeyId,
    userId,
    kind: "ORDINARY",
    name: "",
    active: true,
    expireTimeMs: null,
    allowedModels: undefined,
    allowedProviders: undefined,
    ...fields,
  };
}

/** A HARD lifetime budget in money, but for what is given. */
export function makeBudget(
  fields: Pick<Budget, "budgetId" | "scope" | "subject"> & Partial<Budget>,
): Budget {
  return {
    measure: "COST",
    limit: 100n,
    window: { kind: "LIFETIME", timeZone: "UTC" },
    enforcement: "HARD",
    alertPercents: [],
    expireTimeMs: null,
    onUnavailable: "DENY",
    active: true,
    ...fields,
  };
}

/** The entries as the quota room reads them. */
export function makeDirectory(entries: {
  readonly users?: readonly User[];
  readonly apiKeys?: readonly ApiKey[];
  readonly budgets?: readonly Budget[];
}): QuotaDirectory {
  const { users = [], apiKeys = [], budgets = [] } = entries;
  const index = createBudgetIndex();
  index.upsert(budgets);
  return {
    user: (id) => users.find(({ userId }) => userId === id),
    apiKey: (id) => apiKeys.find(({ apiKeyId }) => apiKeyId === id),
    budget: (id) => budgets.find(({ budgetId }) => budgetId === id),
    budgetsOf: index.budgetsOf,
  };
}
