/** An hour of a history and how many requests arrive in it. */
export interface BusyHour {
  /** Its beginning, milliseconds since 1970. */
  readonly startMs: number;
  readonly requests: number;
}

/** Which time a history covers. */
export interface HistorySpan {
  /** The first moment after it, milliseconds since 1970. */
  readonly endMs: number;
  /** How many days it goes back, 1 or more. */
  readonly days: number;
  /** How many requests there are in it. */
  readonly requests: number;
}

const HOUR_MS = 3_600_000;
const HOURS_PER_DAY = 24;
/** 1970 began on a Thursday. */
const EPOCH_WEEKDAY = 4;

/** How busy the hours of a day are, in UTC: people in Europe and America at work, machines at night. */
const DAY_SHAPE = [2, 2, 1, 1, 1, 2, 4, 7, 10, 11, 10, 9, 9, 11, 13, 13, 12, 10, 8, 6, 5, 4, 3, 2];
/** Sunday first. */
const WEEK_SHAPE = [4, 10, 11, 11, 11, 9, 5];
/** How much more there is at the end than at the beginning. */
const GROWTH = 3;

/** The hours of a span, in their order, those without requests left out. The requests add up exactly. */
export function* busyHours({ endMs, days, requests }: HistorySpan): Generator<BusyHour> {
  const hours = days * HOURS_PER_DAY;
  const startMs = endMs - hours * HOUR_MS;
  let total = 0;
  for (let hour = 0; hour < hours; hour += 1) total += weightOf(startMs, hour, hours);
  let [passed, told] = [0, 0];
  for (let hour = 0; hour < hours; hour += 1) {
    passed += weightOf(startMs, hour, hours);
    const isLast = hour === hours - 1;
    const due = isLast ? requests : Math.min(requests, Math.round((requests * passed) / total));
    if (due > told) yield { startMs: startMs + hour * HOUR_MS, requests: due - told };
    told = Math.max(told, due);
  }
}

function weightOf(startMs: number, hour: number, hours: number): number {
  const sinceEpoch = Math.floor(startMs / HOUR_MS) + hour;
  const weekday = (Math.floor(sinceEpoch / HOURS_PER_DAY) + EPOCH_WEEKDAY) % WEEK_SHAPE.length;
  const growth = 1 + ((GROWTH - 1) * hour) / hours;
  return DAY_SHAPE[sinceEpoch % HOURS_PER_DAY]! * WEEK_SHAPE[weekday]! * growth;
}
