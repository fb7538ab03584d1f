/** Which part of the books a check is about; the names that VerifyLedger answers. */
export type LedgerCheckName =
  | "record"
  | "budget_spent"
  | "budget_leased"
  | "subject_totals"
  | "rollup";

/** Compares stored figures with what they should be. */
export interface LedgerCheck {
  readonly name: LedgerCheckName;
  /**
   * A query for what differs: subject (the row, for people), figure, stored and recomputed, all
   * text. A sum without a row counts as 0, and so does a row of zeros without records.
   */
  readonly sql: string;
}

/** Only finished records move sums. */
export const IS_FINISHED = "status in ('COMPLETED', 'FAILED')";
