/** Values between columns of catalog tables and the fields of entries. */
import type { PriceKey } from "./price-id.js";
import { MIN_TIME_MS } from "./time-validation.js";

/** Milliseconds since 1970 of a timestamptz, which keeps no more here. */
export function fromTimeColumn(time: Date | null): number | null {
  // Number() also takes the Infinity that pg makes of 'infinity'.
  return time === null ? null : Number(time);
}

/** ISO text for a timestamptz. */
export function toTimeColumn(timeMs: number | null): string | null {
  return timeMs === null ? null : new Date(timeMs).toISOString();
}

/** A set of names; undefined when it is empty, which allows all. */
export function fromNamesColumn(names: readonly string[]): ReadonlySet<string> | undefined {
  return names.length === 0 ? undefined : new Set(names);
}

/** The names of a set, sorted; none for undefined. */
export function toNamesColumn(names: ReadonlySet<string> | undefined): readonly string[] {
  return names === undefined ? [] : [...names].sort();
}

/** ISO text for the effective_time of a price; the first moment that there is for null. */
export function toEffectiveTimeColumn(effectiveTimeMs: number | null): string {
  return new Date(effectiveTimeMs ?? MIN_TIME_MS).toISOString();
}

/** The columns that identify a price. */
export function fromPriceKeyColumns(row: {
  readonly model: string;
  readonly provider: string;
  readonly effective_time: Date;
}): PriceKey {
  const timeMs = Number(row.effective_time);
  const effectiveTimeMs = timeMs === MIN_TIME_MS ? null : timeMs;
  return { model: row.model, provider: row.provider, effectiveTimeMs };
}
