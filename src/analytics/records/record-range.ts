import { invalidField } from "../../errors.js";
import type { TimeRange, UsageFilters } from "../question.js";
import { type AskedRange, resolveRange } from "../time-range.js";

const HOUR_US = 3_600_000_000;
/** A range by hours begins at a quarter-hour, so it may be longer by one. */
const SLACK_US = HOUR_US / 4;
const MAX_HOURS = 744;
const MAX_HOURS_OF_ONE = 8_784;

/**
 * Fills in what was not asked for, and refuses ranges whose records would be too many: everybody's
 * are looked at one by one, one user's or key's through an index of theirs.
 *
 * @throws DomainError for a range that is empty or too long
 */
export function resolveRecordRange(
  asked: AskedRange & { readonly defaultHours: number },
  { userId, apiKeyId }: UsageFilters,
  nowUs: number,
): TimeRange {
  const { startUs, endUs, defaultHours } = asked;
  const hours = asked.hours || (startUs === undefined ? defaultHours : 0);
  const range = resolveRange({ startUs, endUs, hours }, nowUs);
  const isOfOne = userId !== "" || apiKeyId !== "";
  const maxHours = isOfOne ? MAX_HOURS_OF_ONE : MAX_HOURS;
  if (range.endUs - range.startUs > maxHours * HOUR_US + SLACK_US) {
    const length = Math.ceil((range.endUs - range.startUs) / HOUR_US);
    const rule = `must be at most ${maxHours}${isOfOne ? "" : " without user_id or api_key_id"}`;
    throw invalidField(startUs === undefined ? "hours" : "end_time - start_time", length, rule);
  }
  return range;
}
