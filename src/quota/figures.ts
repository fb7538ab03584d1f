import type { PeriodKey } from "./lease.js";

/** Where a period stands. */
export interface PeriodFigures extends PeriodKey {
  /** Unset: unlimited, or the budget is gone. */
  readonly limit: bigint | undefined;
  readonly spent: bigint;
  /** Sum of all replicas' leases. */
  readonly leased: bigint;
}

/** Where a period stands, as this replica sees it. */
export interface BudgetFigures extends PeriodKey {
  /** Unset: unlimited, or the budget is gone. */
  readonly limit: bigint | undefined;
  readonly spent: bigint;
  /** Held by reservations, and by what other replicas have leased. */
  readonly held: bigint;
}

/** Where a period stood when spend was posted. */
export interface PostedFigures extends PeriodKey {
  readonly spent: bigint;
  /** Sum of all replicas' leases. */
  readonly leased: bigint;
}
