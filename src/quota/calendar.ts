import { Temporal } from "temporal-polyfill";

/** How a budget's periods follow each other. Weeks begin on Monday, months on their first day. */
export type BudgetWindowKind = "LIFETIME" | "DAY" | "WEEK" | "MONTH" | "EVERY_N_DAYS";

/** A budget's window. Not to be changed once it is in use: its current period is remembered. */
export interface BudgetWindow {
  readonly kind: BudgetWindowKind;
  /** IANA name of the zone in which days begin; see `isValidTimeZone`. */
  readonly timeZone: string;
  /** Length in calendar days, 1 to 3,660. Needed by EVERY_N_DAYS only. */
  readonly days?: number;
  /** A moment on the first day of some period, ms since 1970. Needed by EVERY_N_DAYS only. */
  readonly anchorMs?: number;
}

/** The moments from `startMs` on and before `endMs`, in milliseconds since 1970. */
export interface BudgetPeriod {
  readonly startMs: number;
  /** Null: the period has no end. */
  readonly endMs: number | null;
}

const LIFETIME: BudgetPeriod = Object.freeze({ startMs: 0, endMs: null });

/** Days of the proleptic Gregorian calendar that follow each other without gap: one period. */
interface DateRange {
  readonly first: Temporal.PlainDate;
  /** First day of the next period. */
  readonly next: Temporal.PlainDate;
}

/**
 * The period of a window that holds a moment, worked out from the calendar: some 10 microseconds.
 * `periodAt` answers the same from memory.
 *
 * A day begins at the first moment that bears its date, so one whose midnight is skipped begins
 * at 00:30 or 01:00, and one whose midnight comes twice begins at the first. Where clocks go back
 * over midnight, the hour that is repeated belongs to the new day. So periods follow each other
 * without gap or overlap, whatever the clocks do.
 *
 * @param atMs - milliseconds since 1970, with or without a fraction, within the years 1 to 9999
 * @throws RangeError for a zone that is none, and for EVERY_N_DAYS without days or anchor
 */
export function computePeriod(window: BudgetWindow, atMs: number): BudgetPeriod {
  if (window.kind === "LIFETIME") return LIFETIME;
  const { timeZone } = window;
  let range = rangeAround(window, dateAt(atMs, timeZone));
  let endMs = startOfDayMs(range.next, timeZone);
  if (atMs >= endMs) {
    range = rangeAround(window, range.next);
    endMs = startOfDayMs(range.next, timeZone);
  }
  return { startMs: startOfDayMs(range.first, timeZone), endMs };
}

function rangeAround(window: BudgetWindow, date: Temporal.PlainDate): DateRange {
  switch (window.kind) {
    case "MONTH": {
      const first = date.with({ day: 1 });
      return { first, next: first.add({ months: 1 }) };
    }
    case "WEEK":
      return rangeOfDays(date.subtract({ days: date.dayOfWeek - 1 }), 7);
    case "EVERY_N_DAYS":
      return rangeFromAnchor(window, date);
    default:
      return rangeOfDays(date, 1);
  }
}

function rangeFromAnchor(window: BudgetWindow, date: Temporal.PlainDate): DateRange {
  const { days, anchorMs, timeZone } = window;
  if (days === undefined || !(days >= 1)) throw new RangeError("days: must be at least 1");
  if (anchorMs === undefined) throw new RangeError("anchorMs: is required");
  const anchor = dateAt(anchorMs, timeZone);
  const elapsedDays = anchor.until(date, { largestUnit: "days" }).days;
  return rangeOfDays(anchor.add({ days: Math.floor(elapsedDays / days) * days }), days);
}

function rangeOfDays(first: Temporal.PlainDate, days: number): DateRange {
  return { first, next: first.add({ days }) };
}

function dateAt(atMs: number, timeZone: string): Temporal.PlainDate {
  const instant = Temporal.Instant.fromEpochMilliseconds(Math.floor(atMs));
  return instant.toZonedDateTimeISO(timeZone).toPlainDate();
}

/** Temporal takes the earlier of two midnights, and the end of the gap for one that is skipped. */
function startOfDayMs(date: Temporal.PlainDate, timeZone: string): number {
  return date.toZonedDateTime(timeZone).epochMilliseconds;
}
