/** Callers with budgets, for tests of checks and reservations. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "chai";
import type {
  CheckQuotaRequest,
  CheckQuotaRequestSchema,
  CheckQuotaResponse,
} from "../../gen/tally/v1/quota_checker_pb.js";
import { BudgetScope, type BudgetState } from "../../gen/tally/v1/usage_pb.js";
import type { DocumentInit, TestApp } from "../support/app.js";
import { uniqueId } from "../support/unique-id.js";

/** A check as one writes it. */
export type CheckInit = Exclude<
  MessageInitShape<typeof CheckQuotaRequestSchema>,
  CheckQuotaRequest
>;

/** A budget as one writes it. */
export type BudgetInit = NonNullable<DocumentInit["budgets"]>[number];

/** Makes a user with one budget of the same id. */
export async function userWithLimit(
  app: TestApp,
  limit: bigint,
  budget: Partial<BudgetInit> = {},
): Promise<string> {
  const userId = uniqueId("user");
  const own = { budgetId: userId, scope: BudgetScope.USER, subject: userId, limit };
  await app.apply({ users: [{ userId }], budgets: [{ ...own, ...budget } as BudgetInit] });
  return userId;
}

/** A check that expects so much list cost and holds it. */
export function reserving(userId: string, nanoUsd: bigint, fields: CheckInit = {}): CheckInit {
  const expectation = { case: "estimatedCostNanoUsd" as const, value: nanoUsd };
  return { userId, expectation, reserve: true, ...fields };
}

/** Reserves so much, which must be allowed. */
export async function reserve(
  app: TestApp,
  userId: string,
  nanoUsd: bigint,
  fields: CheckInit = {},
): Promise<CheckQuotaResponse> {
  const answer = await app.clients.checker.checkQuota(reserving(userId, nanoUsd, fields));
  expect(answer.allowed, answer.message).to.equal(true);
  expect(answer.reservationId).to.not.equal("");
  return answer;
}

/** Where a budget stands in its current period. */
export async function budgetState(app: TestApp, budgetId: string): Promise<BudgetState> {
  const subject = { case: "budgetId" as const, value: budgetId };
  const { budgets } = await app.clients.checker.getQuota({ subject });
  return budgets[0]!;
}

/** What a budget has spent and what is held of it. */
export async function standing(
  app: TestApp,
  budgetId: string,
): Promise<{ spent: bigint; held: bigint }> {
  const { spent, held } = await budgetState(app, budgetId);
  return { spent, held };
}
