/** Budgets that alert, and records that spend so much. */

import type { BudgetAlert } from "../../gen/tally/v1/quota_checker_pb.js";
import { BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import type { TestApp } from "../support/app.js";
import { uniqueId } from "../support/unique-id.js";
import { type UsageInit, usage } from "../usage/usage-fixture.js";
import type { BudgetInit } from "./quota-fixture.js";

/** Prices model "plain" at one nano-USD for each input token. */
export async function pricePlainModel(app: TestApp): Promise<void> {
  const tier = { inputNanoUsdPerMillion: 1_000_000n, outputNanoUsdPerMillion: 1_000_000n };
  await app.apply({ prices: [{ model: "plain", price: { tiers: [tier] } }] });
}

/** Makes or changes a user and its budget of the same id. */
export async function alertingUser(
  app: TestApp,
  budget: Partial<BudgetInit>,
  userId = uniqueId("user"),
): Promise<string> {
  const own = { budgetId: userId, scope: BudgetScope.USER, subject: userId, limit: 100n };
  await app.apply({ users: [{ userId }], budgets: [{ ...own, ...budget } as BudgetInit] });
  return userId;
}

/** Usage that costs so many nano-USD. */
export function spending(userId: string, nanoUsd: number, fields: UsageInit = {}) {
  return usage({
    userId,
    model: "plain",
    inputTokens: BigInt(nanoUsd),
    outputTokens: 0n,
    ...fields,
  });
}

/** Records that a user spent so much; answers the request's id. */
export async function spend(
  app: TestApp,
  userId: string,
  nanoUsd: number,
  fields: UsageInit = {},
): Promise<string> {
  const told = spending(userId, nanoUsd, fields);
  await app.clients.recorder.recordUsage({ usage: told });
  return told.requestId;
}

/** The alerts of a budget, oldest first. */
export async function alertsOf(app: TestApp, budgetId: string): Promise<BudgetAlert[]> {
  const { alerts } = await app.clients.checker.listBudgetAlerts({ filter: { budgetId } });
  return alerts.reverse();
}

/** Their percentages, oldest first. */
export async function percentsOf(app: TestApp, budgetId: string): Promise<number[]> {
  return (await alertsOf(app, budgetId)).map(({ thresholdPercent }) => thresholdPercent);
}
