import { invalidField } from "../errors.js";
import type { TimeRange } from "./question.js";
import { ceilToQuarter, floorToQuarter } from "./tiles.js";

/** A range as it is asked for; times in microseconds since 1970. */
export interface AskedRange {
  readonly startUs: number | undefined;
  readonly endUs: number | undefined;
  /** 0: not given. */
  readonly hours: number;
}

const DEFAULT_HOURS = 720;
const HOUR_US = 3_600_000_000;
const EARLIEST_US = Date.UTC(2000, 0, 1) * 1_000;
/** Beyond it, years have more than four digits, and nothing can have been recorded. */
const LATEST_US = Date.UTC(9999, 0, 1) * 1_000;

/**
 * Fills in what was not asked for: until the end of the running quarter-hour, and from the beginning
 * of the quarter-hour that lies so many hours before.
 *
 * @throws DomainError for a range that is empty
 */
export function resolveRange(asked: AskedRange, nowUs: number): TimeRange {
  const endUs = Math.min(asked.endUs ?? ceilToQuarter(nowUs + 1), LATEST_US);
  const hours = asked.hours || DEFAULT_HOURS;
  const startUs = asked.startUs ?? Math.max(floorToQuarter(endUs - hours * HOUR_US), EARLIEST_US);
  if (startUs >= endUs) {
    const end = new Date(Math.floor(endUs / 1_000)).toISOString();
    throw invalidField("end_time", end, "must be after start_time");
  }
  return { startUs, endUs };
}
