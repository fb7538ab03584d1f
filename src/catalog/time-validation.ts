import type { FieldViolation } from "../errors.js";

/** 0001-01-01T00:00:00Z, the first moment of a protobuf Timestamp: the beginning of time for prices. */
export const MIN_TIME_MS = -62_135_596_800_000;

/** 9999-12-31T23:59:59.999Z, the last. */
const MAX_TIME_MS = 253_402_300_799_999;

/** What is wrong with a moment, milliseconds since 1970; nothing with one that is not given. */
export function timeViolations(field: string, timeMs: number | null): FieldViolation[] {
  if (timeMs === null || (timeMs >= MIN_TIME_MS && timeMs <= MAX_TIME_MS)) return [];
  return [{ field, description: "must be in the years 1 to 9999" }];
}
