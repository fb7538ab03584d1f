import type { ConditionalPrice, ModelInfo, ModelPrice } from "@pydantic/genai-prices";

/** Prices of the collection with the time from which they apply. */
export interface GenaiPeriod {
  /** Milliseconds since 1970; undefined: from the beginning of time. */
  readonly effectiveFromMs: number | undefined;
  readonly prices: ModelPrice;
}

/** Conditional prices that make no period of their own. */
export interface SkippedPeriod {
  readonly reason: "TIME_OF_DAY" | "SUPERSEDED";
  readonly detail: string;
}

/** A model's prices over time. */
export interface GenaiPeriods {
  /** In ascending order; each ends where the next begins. */
  readonly periods: readonly GenaiPeriod[];
  readonly skipped: readonly SkippedPeriod[];
}

/**
 * Lays a model's conditional prices out in time. The collection lets the last condition that
 * holds win, and the first entry when none does. So an entry applies from its start date until
 * the earliest start of those after it; one that never wins is skipped, and so are prices
 * for hours of the day, in whose place the price for the rest of the day is taken.
 */
export function layOutPeriods(model: ModelInfo): GenaiPeriods {
  const entries = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
  const periods: GenaiPeriod[] = [];
  const skipped: SkippedPeriod[] = [];
  let untilMs = Number.POSITIVE_INFINITY;
  for (const [index, entry] of [...entries.entries()].reverse()) {
    const fromMs = index === 0 ? Number.NEGATIVE_INFINITY : startOf(entry);
    if (fromMs === undefined) {
      skipped.push({ reason: "TIME_OF_DAY", detail: JSON.stringify(entry.constraint) });
    } else if (fromMs >= untilMs) {
      skipped.push({ reason: "SUPERSEDED", detail: JSON.stringify(entry.constraint ?? {}) });
    } else {
      const effectiveFromMs = Number.isFinite(fromMs) ? fromMs : undefined;
      periods.push({ effectiveFromMs, prices: entry.prices });
      untilMs = fromMs;
    }
  }
  return { periods: periods.reverse(), skipped: skipped.reverse() };
}

/** Start of an entry, -Infinity without a condition; undefined for hours of the day. */
function startOf({ constraint }: ConditionalPrice): number | undefined {
  if (constraint === undefined) return Number.NEGATIVE_INFINITY;
  if (constraint.type === "time_of_date") return undefined;
  return Date.parse(`${constraint.start_date}T00:00:00Z`);
}
