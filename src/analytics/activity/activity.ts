/** What was used on one day. */
export interface DayFigures {
  readonly requests: bigint;
  readonly failures: bigint;
  readonly totalTokens: bigint;
  /** Nano-USD. */
  readonly cost: bigint;
  /** Nano-USD. */
  readonly actualCost: bigint;
}

/** Nothing was. */
export const NO_ACTIVITY: DayFigures = {
  requests: 0n,
  failures: 0n,
  totalTokens: 0n,
  cost: 0n,
  actualCost: 0n,
};

/** Whose activity, and how it is told. */
export interface ActivityQuestion {
  /** "": everybody's. */
  readonly userId: string;
  /** IANA name of a time zone; "UTC" by no other name. */
  readonly timeZone: string;
  readonly withActualCost: boolean;
}

/** Days that follow each other. */
export interface Activity {
  /** The first day, "2026-11-24". */
  readonly startDate: string;
  /** The last day. */
  readonly endDate: string;
  readonly days: readonly DatedFigures[];
}

/** A day with its date. */
export interface DatedFigures extends DayFigures {
  readonly date: string;
}
