import type { MessageInitShape } from "@bufbuild/protobuf";
import type { BudgetSchema, CatalogDocumentSchema } from "../../../gen/tally/v1/catalog_pb.js";
import {
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  BudgetWindowKind,
} from "../../../gen/tally/v1/usage_pb.js";
import type { Caller } from "../generator.js";
import { TRAFFIC_MODELS } from "../models.js";
import { TRAFFIC_PROVIDERS } from "../trace-catalog.js";

const DOLLAR_NANO_USD = 1_000_000_000n;
const MONTH = { kind: BudgetWindowKind.MONTH };
/** So much that nobody of a history is out of funds when it ends. */
const USER_LIMIT = 20_000n * DOLLAR_NANO_USD;
const TEAM_TOKENS = 10n ** 15n;

/** Keys of providers, one of which gives a discount. */
export const PROVIDER_KEYS: Readonly<Record<string, { readonly id: string; multiplier: string }>> =
  Object.fromEntries(
    TRAFFIC_PROVIDERS.map((provider, index) => [
      provider,
      { id: `${provider}-main`, multiplier: index === 0 ? "0.85" : "1" },
    ]),
  );

/**
 * The catalog of a history: users with a monthly budget each, a budget of tokens on each team's tag,
 * one on everything, and providers with a key each.
 */
export function historyCatalogDocument(callers: readonly Caller[]) {
  const teams = [...new Set(callers.map(({ team }) => team))].sort();
  return {
    users: callers.map(({ userId }) => ({
      userId,
      username: userId,
      email: `${userId}@example.com`,
    })),
    apiKeys: callers.flatMap(({ userId, apiKeyIds }) =>
      apiKeyIds.map((apiKeyId) => ({ apiKeyId, userId })),
    ),
    providers: TRAFFIC_PROVIDERS.map((provider) => ({ provider })),
    providerKeys: TRAFFIC_PROVIDERS.map((provider) => ({
      providerKeyId: PROVIDER_KEYS[provider]!.id,
      provider,
      rateMultiplier: PROVIDER_KEYS[provider]!.multiplier,
    })),
    models: TRAFFIC_MODELS.map(({ model }) => ({ model })),
    budgets: [
      ...callers.map(userBudget),
      ...teams.map(teamBudget),
      { budgetId: "everything", scope: BudgetScope.GLOBAL, window: MONTH },
    ],
  } satisfies MessageInitShape<typeof CatalogDocumentSchema>;
}

function userBudget({ userId }: Caller): MessageInitShape<typeof BudgetSchema> {
  return {
    budgetId: `monthly-${userId}`,
    scope: BudgetScope.USER,
    subject: userId,
    limit: USER_LIMIT,
    window: MONTH,
    enforcement: BudgetEnforcement.HARD,
  };
}

function teamBudget(team: string): MessageInitShape<typeof BudgetSchema> {
  return {
    budgetId: `tokens-${team}`,
    scope: BudgetScope.TAG,
    subject: `team=${team}`,
    measure: BudgetMeasure.TOKENS,
    limit: TEAM_TOKENS,
    window: MONTH,
    enforcement: BudgetEnforcement.SOFT,
  };
}
