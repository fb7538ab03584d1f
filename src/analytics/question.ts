/** What usage is told apart by. */
export type Dimension = "USER" | "API_KEY" | "PROVIDER" | "MODEL" | "API_FORMAT" | "STATUS" | "TAG";

/** What values are ordered by, the largest first. */
export type Measure = "COST" | "TOKENS" | "REQUESTS";

/** The moments from `startUs` on and before `endUs`, in microseconds since 1970. */
export interface TimeRange {
  readonly startUs: number;
  readonly endUs: number;
}

/** Only records that say this; "" for any. */
export interface UsageFilters {
  readonly userId: string;
  readonly apiKeyId: string;
  readonly provider: string;
  readonly model: string;
}

/** A range that a sum is asked of, or a part of it. */
export interface Scope {
  readonly filters: UsageFilters;
  readonly dimensions: readonly Dimension[];
  /** Ranges that follow each other; rows are told apart by their index. */
  readonly periods: readonly TimeRange[];
}

const FILTER_DIMENSIONS = {
  userId: "USER",
  apiKeyId: "API_KEY",
  provider: "PROVIDER",
  model: "MODEL",
} as const satisfies Record<keyof UsageFilters, Dimension>;

/** The dimensions that the filters look at. */
export function filteredDimensions(filters: UsageFilters): Dimension[] {
  const names = Object.keys(FILTER_DIMENSIONS) as (keyof UsageFilters)[];
  return names.filter((name) => filters[name] !== "").map((name) => FILTER_DIMENSIONS[name]);
}
