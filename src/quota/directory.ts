import type { ApiKey, Budget, BudgetMeasure, BudgetScope, User } from "../catalog/types.js";

/** What the quota room reads of the catalog; answers from memory. */
export interface QuotaDirectory {
  user(userId: string): User | undefined;
  apiKey(apiKeyId: string): ApiKey | undefined;
  budget(budgetId: string): Budget | undefined;
  /** Active budgets on one subject, by id; empty when there are none. */
  budgetsOf(scope: BudgetScope, subject: string): readonly Budget[];
}

/** What decides which budgets a request meets. */
export interface SpendSubject {
  readonly userId: string;
  readonly apiKeyId: string;
  readonly provider: string;
  readonly model: string;
  readonly tags: Readonly<Record<string, string>>;
}

export type { ApiKey, Budget, BudgetMeasure, BudgetScope, User };
