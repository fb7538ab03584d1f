import type { BudgetMeasure, BudgetScope } from "./directory.js";

/** What an alert is about; names of the contract's BudgetAlertKind. */
export type AlertKind = "THRESHOLD" | "UNCHECKED";

/** Something about a budget that somebody wanted to know when it happened. */
export interface BudgetAlert {
  /** Counts up in the order in which alerts can be seen. */
  readonly alertId: bigint;
  readonly kind: AlertKind;
  readonly budgetId: string;
  readonly scope: BudgetScope;
  readonly subject: string;
  readonly measure: BudgetMeasure;
  /** Percent of the limit that was reached. Null for what is not about a threshold. */
  readonly thresholdPercent: number | null;
  /** At that moment, in the measure's unit. Null: unlimited. */
  readonly limit: bigint | null;
  /** Of the period at that moment, in the measure's unit. */
  readonly spent: bigint;
  /** Requests that passed without being asked, while the database was away. */
  readonly uncheckedRequests: bigint;
  /** Milliseconds since 1970, as all times here. */
  readonly periodStartMs: number;
  readonly fireTimeMs: number;
}

/** Which alerts; what is undefined does not narrow them. */
export interface AlertFilter {
  readonly budgetId: string | undefined;
  readonly scope: BudgetScope | undefined;
  readonly subject: string | undefined;
  /** Fired at this time or later. */
  readonly startMs: number | undefined;
  /** Fired before this time. */
  readonly endMs: number | undefined;
}

/** Where a watch starts: after an alert, at a time, or with what is fired from now on. */
export type AlertStart =
  | { readonly afterId: bigint }
  | { readonly atMs: number }
  | { readonly now: true };

/** What a watch tells. */
export interface AlertNews {
  /** Undefined: nothing but where the watch is. */
  readonly alert: BudgetAlert | undefined;
  /** Every alert up to this id has been told. */
  readonly lastAlertId: bigint;
}
