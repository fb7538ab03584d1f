/** Callers with budgets, for tests of checks and reservations. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "chai";
import { ApiKeyKind } from "../../gen/tally/v1/catalog_pb.js";
import type {
  CheckQuotaRequest,
  CheckQuotaRequestSchema,
  CheckQuotaResponse,
  GetQuotaRequest,
} from "../../gen/tally/v1/quota_checker_pb.js";
import { BudgetScope, type BudgetState } from "../../gen/tally/v1/usage_pb.js";
import type { DocumentInit, TestApp } from "../support/app.js";
import { eventually } from "../support/eventually.js";
import { uniqueId } from "../support/unique-id.js";

/** A check as one writes it. */
export type CheckInit = Exclude<
  MessageInitShape<typeof CheckQuotaRequestSchema>,
  CheckQuotaRequest
>;

/** Tally, in this process or another, as far as it is spoken to. */
export type Spoken = Pick<TestApp, "clients" | "apply">;

/** A budget as one writes it. */
export type BudgetInit = NonNullable<DocumentInit["budgets"]>[number];

/**
 * A time zone in which it is no time near midnight: no day of it ends while tests run.
 *
 * @returns its name, and how far it is ahead of UTC in milliseconds
 */
export function zoneFarFromMidnight(): { timeZone: string; offsetMs: number } {
  const hours = Math.abs(new Date().getUTCHours() - 12) < 6 ? 0 : 12;
  // Etc zones have their signs the other way round.
  return { timeZone: `Etc/GMT-${hours}`, offsetMs: hours * 3_600_000 };
}

/** A check that expects so much list cost. */
export function expecting(userId: string, nanoUsd: bigint, fields: CheckInit = {}): CheckInit {
  const expectation = { case: "estimatedCostNanoUsd" as const, value: nanoUsd };
  return { userId, expectation, ...fields };
}

/** Makes a user with one budget of the same id. */
export async function userWithLimit(
  app: Spoken,
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
  return expecting(userId, nanoUsd, { reserve: true, ...fields });
}

/**
 * Waits until a replica has heard of a user and of budgets, by default the one of the same id; it
 * follows what others change within a second.
 */
export async function untilKnown(
  replica: Spoken,
  userId: string,
  budgetIds: readonly string[] = [userId],
): Promise<void> {
  const isKnown = async (subject: GetQuotaRequest["subject"]) => {
    const answer = replica.clients.checker.getQuota({ subject });
    return answer.then(
      () => true,
      () => false,
    );
  };
  await eventually(`a replica knows ${userId}`, () => isKnown({ case: "userId", value: userId }));
  for (const value of budgetIds) {
    await eventually(`a replica knows ${value}`, () => isKnown({ case: "budgetId", value }));
  }
}

/** Reserves so much, which must be allowed. */
export async function reserve(
  app: Spoken,
  userId: string,
  nanoUsd: bigint,
  fields: CheckInit = {},
): Promise<CheckQuotaResponse> {
  const answer = await app.clients.checker.checkQuota(reserving(userId, nanoUsd, fields));
  expect(answer.allowed, answer.message).to.equal(true);
  expect(answer.reservationId).to.not.equal("");
  return answer;
}

/** Makes a prepaid key with a balance of the same id. */
export async function standaloneKey(app: Spoken, balance: bigint): Promise<string> {
  const apiKeyId = uniqueId("prepaid");
  const budget = { budgetId: apiKeyId, scope: BudgetScope.API_KEY, subject: apiKeyId };
  await app.apply({
    apiKeys: [{ apiKeyId, kind: ApiKeyKind.STANDALONE }],
    budgets: [{ ...budget, limit: balance }],
  });
  return apiKeyId;
}

/** Where a budget stands in its current period. */
export async function budgetState(app: Spoken, budgetId: string): Promise<BudgetState> {
  const subject = { case: "budgetId" as const, value: budgetId };
  const { budgets } = await app.clients.checker.getQuota({ subject });
  return budgets[0]!;
}

/** What a budget has spent and what is held of it. */
export async function standing(
  app: Spoken,
  budgetId: string,
): Promise<{ spent: bigint; held: bigint }> {
  const { spent, held } = await budgetState(app, budgetId);
  return { spent, held };
}
