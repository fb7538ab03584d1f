/**
 * Times of records are whole microseconds since 1970, the precision that PostgreSQL keeps. They
 * fit a double exactly until the year 2255.
 */

/** Microseconds of a moment in seconds and nanoseconds; what is finer is cut off. */
export function microsecondsOf(seconds: bigint, nanos: number): number {
  return Number(seconds) * 1_000_000 + Math.trunc(nanos / 1_000);
}

let lastUs = Number.NaN;
let lastText = "";

/** "2026-11-24T14:00:00.123456Z", as PostgreSQL reads it. */
export function formatMicroseconds(timeUs: number): string {
  // Records of one batch share their times, and to format one costs a microsecond.
  if (timeUs !== lastUs) {
    lastText = format(timeUs);
    lastUs = timeUs;
  }
  return lastText;
}

function format(timeUs: number): string {
  const ms = Math.floor(timeUs / 1_000);
  const below = String(timeUs - ms * 1_000).padStart(3, "0");
  return new Date(ms).toISOString().replace("Z", `${below}Z`);
}

/** First day of the month in UTC, "2026-11-01". */
export function monthOf(timeUs: number): string {
  return `${new Date(Math.floor(timeUs / 1_000)).toISOString().slice(0, 7)}-01`;
}
