import type { Budget, BudgetScope } from "./types.js";

/** Active budgets by what they apply to. */
export interface BudgetIndex {
  /** Frozen, sorted by id; empty when there are none. */
  budgetsOf(scope: BudgetScope, subject: string): readonly Budget[];
  /** Adds budgets, or replaces those with the same ids. */
  upsert(budgets: readonly Budget[]): void;
  remove(budgetIds: readonly string[]): void;
}

/** The active budgets on one subject. */
interface Group {
  readonly budgets: Map<string, Budget>;
  /** Made by the first who asks after a change, so that a bulk load sorts each list once. */
  sorted: readonly Budget[] | undefined;
}

/** By subject. */
type Groups = Map<string, Group>;

const NONE: readonly Budget[] = Object.freeze([]);

/** Makes an empty index. */
export function createBudgetIndex(): BudgetIndex {
  // One map a scope, so that a lookup builds no key.
  const scopes: Readonly<Record<BudgetScope, Groups>> = {
    USER: new Map(),
    API_KEY: new Map(),
    PROVIDER: new Map(),
    MODEL: new Map(),
    TAG: new Map(),
    GLOBAL: new Map(),
  };
  const active = new Map<string, Budget>();

  function add(budget: Budget): void {
    active.set(budget.budgetId, budget);
    const groups = scopes[budget.scope];
    const group = groups.get(budget.subject) ?? { budgets: new Map(), sorted: undefined };
    group.budgets.set(budget.budgetId, budget);
    group.sorted = undefined;
    groups.set(budget.subject, group);
  }

  function remove(budgetId: string): void {
    const budget = active.get(budgetId);
    if (budget === undefined) return;
    active.delete(budgetId);
    const groups = scopes[budget.scope];
    const group = groups.get(budget.subject);
    if (group === undefined) return;
    group.budgets.delete(budgetId);
    group.sorted = undefined;
    if (group.budgets.size === 0) groups.delete(budget.subject);
  }

  return {
    budgetsOf(scope, subject) {
      const group = scopes[scope].get(subject);
      if (group === undefined) return NONE;
      group.sorted ??= Object.freeze([...group.budgets.values()].sort(compareIds));
      return group.sorted;
    },
    upsert(budgets) {
      for (const budget of budgets) {
        remove(budget.budgetId);
        if (budget.active) add(budget);
      }
    },
    remove(budgetIds) {
      for (const id of budgetIds) remove(id);
    },
  };
}

function compareIds(a: Budget, b: Budget): number {
  return a.budgetId < b.budgetId ? -1 : 1;
}
