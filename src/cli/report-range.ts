import { type Timestamp, timestampMs } from "@bufbuild/protobuf/wkt";

/** "2026-05-17 14:00" on the clocks of a time zone. */
export function formatLocalTime(time: Timestamp | undefined, timeZone: string): string {
  if (time === undefined) return "";
  // Sweden writes times as ISO 8601 does.
  const format = new Intl.DateTimeFormat("sv-SE", {
    timeZone,
    dateStyle: "short",
    timeStyle: "short",
  });
  return format.format(timestampMs(time));
}

/** "2026-05-01 00:00 to 2026-06-01 00:00, UTC". */
export function formatRange(
  { startTime, endTime }: { startTime?: Timestamp | undefined; endTime?: Timestamp | undefined },
  timeZone: string,
): string {
  const [from, to] = [startTime, endTime].map((time) => formatLocalTime(time, timeZone));
  return `${from} to ${to}, ${timeZone}`;
}

/** "2026-05-17T14:00:00.000Z". */
export function formatUtc(time: Timestamp | undefined): string {
  return time === undefined ? "" : new Date(timestampMs(time)).toISOString();
}
