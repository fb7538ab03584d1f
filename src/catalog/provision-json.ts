import type { JsonObject, JsonValue } from "./entry-json.js";
import { type AutoProvision, DEFAULT_MAX_PER_MINUTE, type DefaultBudget } from "./provision.js";
import type { BudgetWindow } from "./types.js";

/** The setting in the contract's spelling; amounts are decimal strings. */
export function toAutoProvisionJson(setting: AutoProvision): JsonObject {
  return {
    users: setting.users,
    api_keys: setting.apiKeys,
    user_budgets: setting.userBudgets.map(toBudgetJson),
    api_key_budgets: setting.apiKeyBudgets.map(toBudgetJson),
    max_per_minute: setting.maxPerMinute,
  };
}

/**
 * Reads what {@link toAutoProvisionJson} wrote.
 *
 * @throws TypeError, SyntaxError or RangeError on anything else
 */
export function fromAutoProvisionJson(value: unknown): AutoProvision {
  const json = value as Record<string, JsonValue>;
  return {
    users: flag(json.users),
    apiKeys: flag(json.api_keys),
    userBudgets: (json.user_budgets as readonly JsonObject[]).map(fromBudgetJson),
    apiKeyBudgets: (json.api_key_budgets as readonly JsonObject[]).map(fromBudgetJson),
    maxPerMinute: Number(json.max_per_minute ?? DEFAULT_MAX_PER_MINUTE),
  };
}

function toBudgetJson(budget: DefaultBudget): JsonObject {
  const { kind, timeZone, days, anchorMs } = budget.window;
  return {
    name: budget.name,
    measure: budget.measure,
    limit: budget.limit?.toString(),
    window: {
      kind,
      time_zone: timeZone,
      days,
      anchor_time: anchorMs === undefined ? undefined : new Date(anchorMs).toISOString(),
    },
    enforcement: budget.enforcement,
    alert_percents: budget.alertPercents,
    on_unavailable: budget.onUnavailable,
  };
}

function fromBudgetJson(json: JsonObject): DefaultBudget {
  const { name, measure, limit, enforcement, alert_percents, on_unavailable } = json;
  return {
    name: oneOfTexts(name),
    measure: oneOfTexts(measure, ["COST", "TOKENS", "REQUESTS"]),
    limit: limit === undefined ? null : BigInt(limit as string),
    window: fromWindowJson(json.window as JsonObject),
    enforcement: oneOfTexts(enforcement, ["HARD", "SOFT"]),
    alertPercents: (alert_percents as readonly number[]).map(Number),
    onUnavailable: oneOfTexts(on_unavailable, ["DENY", "ALLOW"]),
  };
}

function fromWindowJson({ kind, time_zone, days, anchor_time }: JsonObject): BudgetWindow {
  return {
    kind: oneOfTexts(kind, ["LIFETIME", "DAY", "WEEK", "MONTH", "EVERY_N_DAYS"]),
    timeZone: oneOfTexts(time_zone),
    ...(days !== undefined && { days: Number(days) }),
    ...(anchor_time !== undefined && { anchorMs: Date.parse(anchor_time as string) }),
  };
}

function flag(value: unknown): boolean {
  if (typeof value !== "boolean") throw new TypeError("must be true or false");
  return value;
}

/** @param allowed - what it may be. Default: any text. */
function oneOfTexts<T extends string>(value: unknown, allowed?: readonly T[]): T {
  const isAllowed = allowed === undefined || allowed.some((candidate) => candidate === value);
  if (typeof value !== "string" || !isAllowed) {
    throw new TypeError(`must be ${allowed?.join(" or ") ?? "text"}`);
  }
  return value as T;
}
