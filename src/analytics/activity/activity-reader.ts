import { type Activity, type ActivityQuestion, NO_ACTIVITY } from "./activity.js";
import type { ActivityCache } from "./activity-cache.js";
import { type ActivityEntry, activityKey } from "./activity-entry.js";
import type { ActivityStore } from "./activity-store.js";
import { dateIn, lastDays } from "./activity-window.js";

/** Options of {@link createActivityReader}. */
export interface ActivityReaderOptions {
  readonly store: ActivityStore;
  readonly cache: ActivityCache;
  /** The user's role in the catalog; undefined for one that it does not know. */
  readonly roleOf: (userId: string) => string | undefined;
  /** Microseconds since 1970. */
  readonly nowUs: () => number;
}

/** Tells what was used day by day. */
export interface ActivityReader {
  /** The last days, today included; at most 5 minutes old. */
  read(question: ActivityQuestion, dayCount: number): Promise<Activity>;
}

/** So many are counted in any case, so that all shorter windows share one entry. */
const MIN_DAYS = 365;

/** Makes a reader. */
export function createActivityReader(options: ActivityReaderOptions): ActivityReader {
  const { store, cache, roleOf, nowUs } = options;
  const counting = new Map<string, Promise<ActivityEntry>>();

  async function count(question: ActivityQuestion, dayCount: number): Promise<ActivityEntry> {
    const { userId, timeZone, withActualCost } = question;
    const role = roleOf(userId) ?? "";
    const days = lastDays(dayCount, timeZone, nowUs());
    const found = await store.readDays(userId, days);
    const entry = {
      ...question,
      role,
      endDate: days.at(-1)?.date ?? "",
      days: days.map((_, index) => {
        const figures = found.get(index) ?? NO_ACTIVITY;
        return withActualCost ? figures : { ...figures, actualCost: 0n };
      }),
    };
    await cache.keep(entry);
    return entry;
  }

  /** Callers who ask the same at the same time are answered together, above all without a cache. */
  function countOnce(question: ActivityQuestion, dayCount: number): Promise<ActivityEntry> {
    const key = `${dayCount}:${activityKey(question)}`;
    let entry = counting.get(key);
    if (entry === undefined) {
      entry = count(question, dayCount).finally(() => counting.delete(key));
      counting.set(key, entry);
    }
    return entry;
  }

  /**
   * Whether an entry is about today, long enough, and of the user as it is now: one that is counted
   * while a role changes may be kept after the others were dropped.
   */
  function isCurrent(entry: ActivityEntry, dayCount: number): boolean {
    return (
      entry.endDate === dateIn(entry.timeZone, nowUs()) &&
      entry.days.length >= dayCount &&
      entry.role === (roleOf(entry.userId) ?? "")
    );
  }

  return {
    async read(question, dayCount) {
      const cached = await cache.find(question);
      const entry =
        cached && isCurrent(cached, dayCount)
          ? cached
          : await countOnce(question, Math.max(dayCount, MIN_DAYS));
      return lastOf(entry, dayCount);
    },
  };
}

function lastOf({ endDate, days }: ActivityEntry, dayCount: number): Activity {
  const last = days.slice(-dayCount);
  const dates = datesUntil(endDate, last.length);
  return {
    startDate: dates[0] ?? endDate,
    endDate,
    days: last.map((figures, index) => ({ date: dates[index] ?? "", ...figures })),
  };
}

const DAY_MS = 86_400_000;

/** Dates follow each other as in UTC, whatever the zone: its clocks change hours, not the calendar. */
function datesUntil(endDate: string, count: number): string[] {
  const endMs = Date.parse(endDate);
  return Array.from({ length: count }, (_, index) =>
    new Date(endMs - (count - 1 - index) * DAY_MS).toISOString().slice(0, 10),
  );
}
