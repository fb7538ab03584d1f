import { Temporal } from "temporal-polyfill";
import type { TimeRange } from "../question.js";

/** A calendar day of a time zone, and the moments that bear its date: none where it was skipped. */
export interface ActivityDay extends TimeRange {
  /** "2026-11-24". */
  readonly date: string;
}

/** A zone as it was asked for; "UTC" for each name of UTC, and for none. */
export function nameOfZone(timeZone: string): string {
  if (timeZone === "") return "UTC";
  const { timeZone: known } = new Intl.DateTimeFormat("en-US", { timeZone }).resolvedOptions();
  // Other names stay: what is known here may be an older one, such as Asia/Katmandu.
  return known === "UTC" ? known : timeZone;
}

/** The date in a time zone, "2026-11-24". */
export function dateIn(timeZone: string, nowUs: number): string {
  return plainDateIn(timeZone, nowUs).toString();
}

/** The last days, today included and last; each ends where the next begins. */
export function lastDays(count: number, timeZone: string, nowUs: number): ActivityDay[] {
  const today = plainDateIn(timeZone, nowUs);
  const days: ActivityDay[] = [];
  let date = today.subtract({ days: count - 1 });
  let startUs = startOfDayUs(date, timeZone);
  while (days.length < count) {
    const next = date.add({ days: 1 });
    const endUs = startOfDayUs(next, timeZone);
    days.push({ date: date.toString(), startUs, endUs });
    date = next;
    startUs = endUs;
  }
  return days;
}

function plainDateIn(timeZone: string, nowUs: number): Temporal.PlainDate {
  const now = Temporal.Instant.fromEpochMilliseconds(Math.floor(nowUs / 1_000));
  return now.toZonedDateTimeISO(timeZone).toPlainDate();
}

function startOfDayUs(date: Temporal.PlainDate, timeZone: string): number {
  return date.toZonedDateTime(timeZone).epochMilliseconds * 1_000;
}
