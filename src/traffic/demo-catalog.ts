import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  ApiKeyKind,
  type ApiKeySchema,
  BillingType,
  type BudgetSchema,
  type CatalogDocumentSchema,
  UserRole,
  type UserSchema,
} from "../../gen/tally/v1/catalog_pb.js";
import {
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  BudgetWindowKind,
} from "../../gen/tally/v1/usage_pb.js";
import {
  ADMIN_USER_ID,
  DEMO_CALLERS,
  type DemoCaller,
  INTERN_USER_ID,
  PARTNER_TEAM,
  SOFT_USER_ID,
  TIGHT_TEAM,
} from "./demo-callers.js";
import { TRAFFIC_MODELS } from "./models.js";
import { TRAFFIC_PROVIDERS } from "./trace-catalog.js";

type BudgetInit = MessageInitShape<typeof BudgetSchema>;

/** The budget on everything: without a limit, it only counts. */
export const GLOBAL_BUDGET_ID = "company";

const CENT_NANO_USD = 10_000_000n;
const DOLLAR_NANO_USD = 100n * CENT_NANO_USD;
const MONTH = { kind: BudgetWindowKind.MONTH };
/** Budgets are meant for so many requests and scale with their number. */
const USUAL_REQUESTS = 3_000;

/** Monthly limits and prepaid balances for the usual number of requests, nano-USD. */
const LIMITS = {
  ample: 50n * DOLLAR_NANO_USD,
  tight: 150n * CENT_NANO_USD,
  prepaid: 20n * DOLLAR_NANO_USD,
  "nearly-spent": 75n * CENT_NANO_USD,
  tightTeam: 3n * DOLLAR_NANO_USD,
  provider: 500n * DOLLAR_NANO_USD,
  soft: 75n * CENT_NANO_USD,
};

/**
 * The demo's catalog: users with monthly budgets, some of them tight; partners whose prepaid keys
 * are charged alone; a budget on a team's tag, on a provider's allowance, and on everything.
 *
 * @param requests how many requests the budgets should be right for
 * @param nowMs decides where the provider's 30 days begin
 */
export function demoCatalogDocument(requests: number, nowMs: number) {
  return {
    users: demoUsers(),
    apiKeys: demoApiKeys(),
    providers: TRAFFIC_PROVIDERS.map((provider) => ({
      provider,
      billingType: provider === "anthropic" ? BillingType.MONTHLY_QUOTA : BillingType.PAY_AS_YOU_GO,
    })),
    models: TRAFFIC_MODELS.map(({ model }) => ({ model })),
    budgets: [...callerBudgets(requests), ...sharedBudgets(requests, nowMs)],
  } satisfies MessageInitShape<typeof CatalogDocumentSchema>;
}

function demoUsers(): MessageInitShape<typeof UserSchema>[] {
  return [...new Set(DEMO_CALLERS.map(({ userId }) => userId))].map((userId) => ({
    userId,
    email: `${userId}@example.com`,
    role: userId === ADMIN_USER_ID ? UserRole.ADMIN : UserRole.USER,
    allowedModels: userId === INTERN_USER_ID ? ["gpt-4o-mini"] : [],
  }));
}

function demoApiKeys(): MessageInitShape<typeof ApiKeySchema>[] {
  return DEMO_CALLERS.flatMap(({ userId, apiKeyIds, team }) =>
    apiKeyIds.map((apiKeyId) => ({
      apiKeyId,
      userId,
      kind: team === PARTNER_TEAM ? ApiKeyKind.STANDALONE : ApiKeyKind.ORDINARY,
    })),
  );
}

/** One budget for each caller: on the prepaid key, or on the user. Together they charge all. */
function callerBudgets(requests: number): BudgetInit[] {
  return DEMO_CALLERS.map((caller) => ({
    budgetId: callerBudgetId(caller),
    ...(caller.team === PARTNER_TEAM
      ? { scope: BudgetScope.API_KEY, subject: caller.apiKeyIds[0]! }
      : { scope: BudgetScope.USER, subject: caller.userId, window: MONTH }),
    measure: BudgetMeasure.COST,
    enforcement: BudgetEnforcement.HARD,
    ...(caller.allowance === "unlimited"
      ? {}
      : { limit: scaled(LIMITS[caller.allowance], requests) }),
  }));
}

/** Id of the budget that a caller's requests charge. */
export function callerBudgetId({ team, apiKeyIds, userId }: DemoCaller): string {
  return team === PARTNER_TEAM ? `balance-${apiKeyIds[0]}` : `monthly-${userId}`;
}

/** Ids of the budgets that several callers share. */
export function sharedBudgetIds(): string[] {
  return sharedBudgets(USUAL_REQUESTS, 0).map(({ budgetId = "" }) => budgetId);
}

function sharedBudgets(requests: number, nowMs: number): BudgetInit[] {
  return [
    {
      budgetId: `team-${TIGHT_TEAM}`,
      scope: BudgetScope.TAG,
      subject: `team=${TIGHT_TEAM}`,
      limit: scaled(LIMITS.tightTeam, requests),
      window: MONTH,
    },
    {
      budgetId: "anthropic-allowance",
      scope: BudgetScope.PROVIDER,
      subject: "anthropic",
      limit: scaled(LIMITS.provider, requests),
      window: {
        kind: BudgetWindowKind.EVERY_N_DAYS,
        days: 30,
        anchorTime: timestampFromMs(nowMs),
      },
    },
    {
      budgetId: GLOBAL_BUDGET_ID,
      scope: BudgetScope.GLOBAL,
      window: MONTH,
    },
    {
      budgetId: `soft-${SOFT_USER_ID}`,
      scope: BudgetScope.USER,
      subject: SOFT_USER_ID,
      limit: scaled(LIMITS.soft, requests),
      window: MONTH,
      enforcement: BudgetEnforcement.SOFT,
    },
  ];
}

/** In whole cents, at least one. */
function scaled(limitNanoUsd: bigint, requests: number): bigint {
  const cents = (limitNanoUsd * BigInt(requests)) / (BigInt(USUAL_REQUESTS) * CENT_NANO_USD);
  return (cents > 0n ? cents : 1n) * CENT_NANO_USD;
}
