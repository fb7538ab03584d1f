import { Temporal } from "temporal-polyfill";
import { periodAt } from "../quota/window.js";
import type { TimeRange } from "./question.js";

/** How long the periods of a summary are. */
export type PeriodKind = "HOUR" | "DAY" | "WEEK" | "MONTH" | "TOTAL";

const HOUR_MS = 3_600_000;

/**
 * The periods of a time zone that a range lies in, in order; the first and the last as far as they
 * are in the range. Days are those of budgets. An hour ends where the clock shows the next full hour,
 * so that it has 60 minutes, or less or more where clocks are changed by half of one.
 *
 * @param most - how many at most
 * @returns undefined when there are more
 */
export function listPeriods(
  range: TimeRange,
  kind: PeriodKind,
  timeZone: string,
  most: number,
): TimeRange[] | undefined {
  if (kind === "TOTAL") return [range];
  const endOf = kind === "HOUR" ? createHourEnds(timeZone) : dayEnds(kind, timeZone);
  const periods: TimeRange[] = [];
  for (let startUs = range.startUs; startUs < range.endUs; ) {
    if (periods.length === most) return undefined;
    const endUs = Math.min(endOf(startUs / 1_000) * 1_000, range.endUs);
    periods.push({ startUs, endUs });
    startUs = endUs;
  }
  return periods;
}

type PeriodEnd = (atMs: number) => number;

function dayEnds(kind: "DAY" | "WEEK" | "MONTH", timeZone: string): PeriodEnd {
  const window = { kind, timeZone };
  return (atMs) => periodAt(window, atMs).endMs ?? Number.POSITIVE_INFINITY;
}

/** How far a zone's clock is ahead of UTC, and until when. */
interface OffsetSpan {
  readonly offsetMs: number;
  readonly untilMs: number;
}

/** Asked in the order of time: the offset is looked up once for each change of the clocks. */
function createHourEnds(timeZone: string): PeriodEnd {
  let span = offsetSpan(0, timeZone);
  return (atMs) => {
    if (atMs >= span.untilMs) span = offsetSpan(atMs, timeZone);
    let endMs = hourStart(atMs, span.offsetMs) + HOUR_MS;
    while (endMs >= span.untilMs) {
      const changeMs = span.untilMs;
      const before = Math.floor((changeMs - 1 + span.offsetMs) / HOUR_MS);
      span = offsetSpan(changeMs, timeZone);
      const after = (changeMs + span.offsetMs) / HOUR_MS;
      if (Number.isInteger(after) || Math.floor(after) !== before) return changeMs;
      endMs = hourStart(changeMs, span.offsetMs) + HOUR_MS;
    }
    return endMs;
  };
}

function hourStart(atMs: number, offsetMs: number): number {
  return Math.floor((atMs + offsetMs) / HOUR_MS) * HOUR_MS - offsetMs;
}

function offsetSpan(atMs: number, timeZone: string): OffsetSpan {
  const instant = Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs));
  const zoned = instant.toZonedDateTimeISO(timeZone);
  const change = zoned.getTimeZoneTransition("next");
  return {
    offsetMs: zoned.offsetNanoseconds / 1_000_000,
    untilMs: change?.epochMilliseconds ?? Number.POSITIVE_INFINITY,
  };
}
