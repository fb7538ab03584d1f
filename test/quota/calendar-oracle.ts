/** Calendar days of time zones by looking at the clock, minute by minute. Slow, and too simple to be wrong. */

const MS_PER_MINUTE = 60_000;
const MS_PER_DAY = 86_400_000;

/** No clock since 1970 was set back by more than a day that it then had twice. */
const LONGEST_REPEAT_MINUTES = 4 * 60;

const formats = new Map<string, Intl.DateTimeFormat>();

/** The local date at a moment, as a count of days since 1970-01-01. */
export function dayAt(atMs: number, timeZone: string): number {
  let format = formats.get(timeZone);
  if (format === undefined) {
    // Swedish dates are written year-month-day.
    format = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short" });
    formats.set(timeZone, format);
  }
  return Date.parse(`${format.format(atMs)}T00:00:00Z`) / MS_PER_DAY;
}

/** The latest date that the clock has shown up to a moment: not the same after it was set back over midnight. */
export function latestDayAt(atMs: number, timeZone: string): number {
  let latest = dayAt(atMs, timeZone);
  for (let minutes = 1; minutes <= LONGEST_REPEAT_MINUTES; minutes += 1) {
    latest = Math.max(latest, dayAt(atMs - minutes * MS_PER_MINUTE, timeZone));
  }
  return latest;
}

/** Whether the clock shows `day` or a later date at the moment, and has shown only earlier ones before. */
export function isFirstMomentOf(day: number, atMs: number, timeZone: string): boolean {
  return dayAt(atMs, timeZone) >= day && latestDayAt(atMs - 1, timeZone) < day;
}

/** First day of the ISO week. 1970-01-01 was a Thursday. */
export function mondayOf(day: number): number {
  return day - ((((day + 3) % 7) + 7) % 7);
}

/** First day of the month `months` after the one that holds the day. */
export function firstOfMonth(day: number, months: number): number {
  const date = new Date(day * MS_PER_DAY);
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + months, 1) / MS_PER_DAY;
}
