import { type FieldViolation, violation } from "../errors.js";
import { isValidTimeZone } from "../quota/time-zone.js";

/** What is wrong with the time zone of a request, which may be left out. */
export function timeZoneViolations({ timeZone }: { readonly timeZone: string }): FieldViolation[] {
  if (timeZone === "" || isValidTimeZone(timeZone)) return [];
  return [violation("time_zone", timeZone, 'must be an IANA name such as "Europe/Berlin"')];
}
