import {
  type AutoProvision,
  type ProvisionedEntries,
  provisionedApiKey,
  provisionedBudgets,
  provisionedUser,
} from "./provision.js";
import type { ApiKey, Budget, User } from "./types.js";

/** Whom a check named. */
export interface ProvisionRequest {
  /** "" when the key's owner is meant. */
  readonly userId: string;
  /** "" for none. */
  readonly apiKeyId: string;
}

/** What the catalog has to know for a request to be judged. */
export interface WantedEntries {
  readonly userId: string;
  /** Undefined: no key is to be created. */
  readonly apiKeyId: string | undefined;
}

/** What is known in memory. */
interface KnownCallers {
  user(userId: string): User | undefined;
  apiKey(apiKeyId: string): ApiKey | undefined;
}

/** What the setting lets a request create; undefined: nothing, or nothing that would help it. */
export function wantedBy(
  known: KnownCallers,
  request: ProvisionRequest,
  options: { readonly setting: AutoProvision; readonly nowMs: number },
): WantedEntries | undefined {
  const { setting, nowMs } = options;
  const key = known.apiKey(request.apiKeyId);
  const userId = request.userId || (key?.userId ?? "");
  if (userId === "" || key?.kind === "STANDALONE") return undefined;
  const user = known.user(userId);
  if (user === undefined ? !setting.users : !maySpend(user, nowMs)) return undefined;
  const needsKey = request.apiKeyId !== "" && key === undefined;
  if (needsKey && !setting.apiKeys) return undefined;
  if (user !== undefined && !needsKey) return undefined;
  return { userId, apiKeyId: needsKey ? request.apiKeyId : undefined };
}

/** A key of somebody who may not spend anyway is not worth an entry. */
function maySpend({ active, expireTimeMs }: User, nowMs: number): boolean {
  return active && (expireTimeMs === null || expireTimeMs > nowMs);
}

/** Every entry that the requests might need, whether it exists or not. */
export function candidatesFor(
  wanted: readonly WantedEntries[],
  setting: AutoProvision,
): ProvisionedEntries {
  const users = new Map<string, User>();
  const apiKeys = new Map<string, ApiKey>();
  for (const { userId, apiKeyId } of wanted) {
    users.set(userId, provisionedUser(userId));
    // Of two users that come with one new key, the first has it.
    if (apiKeyId !== undefined && !apiKeys.has(apiKeyId)) {
      apiKeys.set(apiKeyId, provisionedApiKey(apiKeyId, userId));
    }
  }
  return {
    users: [...users.values()],
    apiKeys: [...apiKeys.values()],
    budgets: [
      ...[...users.keys()].flatMap((id) => provisionedBudgets("USER", id, setting.userBudgets)),
      ...[...apiKeys.keys()].flatMap((id) =>
        provisionedBudgets("API_KEY", id, setting.apiKeyBudgets),
      ),
    ],
  };
}

/** What is to be created. */
export interface ProvisionPlan {
  readonly entries: ProvisionedEntries;
  /** Budgets whose ids somebody gave to other budgets; their subjects are not created. */
  readonly taken: readonly Budget[];
}

/**
 * The candidates that do not exist. A user or key that exists gets no budgets, for it may be meant
 * to have none; one that is new keeps budgets that are there on it already.
 */
export function planProvision(
  candidates: ProvisionedEntries,
  existing: ProvisionedEntries,
  setting: AutoProvision,
): ProvisionPlan {
  const isNewUser = isNew(existing.users, ({ userId }) => userId);
  const isNewKey = isNew(existing.apiKeys, ({ apiKeyId }) => apiKeyId);
  const there = new Map(existing.budgets.map((budget) => [budget.budgetId, budget]));
  const taken = candidates.budgets.filter((budget) => isTaken(budget, there.get(budget.budgetId)));
  const barred = new Set(taken.map(subjectKey));
  const users = candidates.users
    .filter(isNewUser)
    .filter(({ userId }) => setting.users && !barred.has(`USER ${userId}`));
  const userIds = new Set([...users, ...existing.users].map(({ userId }) => userId));
  const apiKeys = candidates.apiKeys
    .filter(isNewKey)
    .filter(({ userId }) => setting.apiKeys && userIds.has(userId))
    .filter(({ apiKeyId }) => !barred.has(`API_KEY ${apiKeyId}`));
  const subjects = new Set([
    ...users.map(({ userId }) => `USER ${userId}`),
    ...apiKeys.map(({ apiKeyId }) => `API_KEY ${apiKeyId}`),
  ]);
  const budgets = candidates.budgets.filter(
    (budget) => subjects.has(subjectKey(budget)) && !there.has(budget.budgetId),
  );
  return { entries: { users, apiKeys, budgets }, taken };
}

function isNew<T>(existing: readonly T[], idOf: (entry: T) => string): (entry: T) => boolean {
  const ids = new Set(existing.map(idOf));
  return (entry) => !ids.has(idOf(entry));
}

function isTaken(wanted: Budget, found: Budget | undefined): boolean {
  return found !== undefined && subjectKey(found) !== subjectKey(wanted);
}

function subjectKey({ scope, subject }: Budget): string {
  return `${scope} ${subject}`;
}
