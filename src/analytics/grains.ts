import type { Dimension } from "./question.js";

/** How long a bucket of a rollup is, in UTC; RAW: a record by itself. */
export type Width = "MONTH" | "DAY" | "HOUR" | "QUARTER" | "RAW";

/** A grain of the rollups; see the migration that makes them. */
export interface Grain {
  readonly width: Exclude<Width, "RAW">;
  /** Its number in usage_rollups. */
  readonly number: number;
  /** Whether user_id is '' in all of its rows. */
  readonly isOverUsers: boolean;
}

/** Grains that tell the same dimensions, the longest buckets first, quarter-hours last. */
export type GrainFamily = readonly Grain[];

const QUARTERS: Grain = { width: "QUARTER", number: 1, isOverUsers: false };

const OFFERINGS: GrainFamily = [
  { width: "MONTH", number: 7, isOverUsers: true },
  { width: "DAY", number: 6, isOverUsers: true },
  { width: "HOUR", number: 5, isOverUsers: true },
  { width: "QUARTER", number: 4, isOverUsers: true },
];

const USER_DAYS: GrainFamily = [{ width: "DAY", number: 2, isOverUsers: false }, QUARTERS];

const USER_MONTHS: GrainFamily = [{ width: "MONTH", number: 3, isOverUsers: false }, ...USER_DAYS];

const TAGS: GrainFamily = [
  { width: "MONTH", number: 9, isOverUsers: true },
  { width: "DAY", number: 8, isOverUsers: true },
  QUARTERS,
];

/**
 * The family with the fewest rows that tells all of the dimensions. The months of users have no
 * sketches of latencies.
 */
export function familyFor(
  dimensions: readonly Dimension[],
  { withSketches }: { readonly withSketches: boolean },
): GrainFamily {
  const tells = (...told: Dimension[]) =>
    dimensions.every((dimension) => dimension === "STATUS" || told.includes(dimension));
  if (tells("PROVIDER", "MODEL", "API_FORMAT")) return OFFERINGS;
  if (tells("USER", "API_KEY")) return withSketches ? USER_DAYS : USER_MONTHS;
  if (tells("TAG")) return TAGS;
  return [QUARTERS];
}
