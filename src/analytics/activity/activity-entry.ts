import { type ActivityQuestion, type DayFigures, NO_ACTIVITY } from "./activity.js";

/** Activity as it is cached. What a question does not ask for is 0. */
export interface ActivityEntry extends ActivityQuestion {
  /** The user's role when this was counted; "" for everybody and for one that is not known. */
  readonly role: string;
  /** The last day, "2026-11-24". */
  readonly endDate: string;
  /** Every day up to it, the earliest first. */
  readonly days: readonly DayFigures[];
}

/** What all keys begin with. */
export const ACTIVITY_PREFIX = "activity_heatmap:";

const USER_PREFIX = `${ACTIVITY_PREFIX}user:`;

/** The key of an entry. */
export function activityKey({ userId, timeZone, withActualCost }: ActivityQuestion): string {
  const subject = userId === "" ? `${ACTIVITY_PREFIX}admin:all` : `${USER_PREFIX}${userId}`;
  const zone = timeZone === "UTC" ? "" : `:${timeZone}`;
  return `${subject}:${withActualCost ? "with_cost" : "no_cost"}${zone}`;
}

/** What the keys of a user's entries begin with, and perhaps those of others. */
export function userPrefix(userId: string): string {
  return `${USER_PREFIX}${userId}:`;
}

/** The user whose entry it is; undefined for everybody's. */
export function userOfKey(key: string): string | undefined {
  if (!key.startsWith(USER_PREFIX)) return undefined;
  // No time zone is called so, and none has a colon, so there is one way to read a key.
  return /^(.*):(?:with|no)_cost(?::[^:]+)?$/s.exec(key.slice(USER_PREFIX.length))?.[1];
}

const FORMAT = 1;

/** A day: which one, counted from the first, and its figures in decimal. */
type DayJson = readonly [number, string, string, string, string, string];

/** The entry as text; days without requests are left out. */
export function writeActivityEntry(entry: ActivityEntry): string {
  const { days, ...head } = entry;
  const rows = days.flatMap((day, index): DayJson[] => {
    if (day.requests === 0n && day.totalTokens === 0n && day.cost === 0n) return [];
    const { requests, failures, totalTokens, cost, actualCost } = day;
    return [
      [index, `${requests}`, `${failures}`, `${totalTokens}`, `${cost}`, `${actualCost}`] as const,
    ];
  });
  return JSON.stringify({ format: FORMAT, ...head, dayCount: days.length, rows });
}

const MAX_DAYS = 3_660;
const DATE = /^\d{4}-\d\d-\d\d$/;
const AMOUNT = /^\d{1,19}$/;
const MAX_AMOUNT = 2n ** 63n - 1n;

/**
 * Reads an entry that answers a question.
 *
 * @returns undefined for anything else: other programs, and other versions of this one, may write
 */
export function readActivityEntry(
  text: string,
  question: ActivityQuestion,
): ActivityEntry | undefined {
  const json = parseObject(text);
  const { dayCount, endDate, role, rows } = json ?? {};
  const isOurs =
    json?.format === FORMAT &&
    json.userId === question.userId &&
    json.timeZone === question.timeZone &&
    json.withActualCost === question.withActualCost;
  if (!isOurs || typeof role !== "string" || !Array.isArray(rows)) return undefined;
  if (typeof endDate !== "string" || !DATE.test(endDate)) return undefined;
  if (!isIndex(dayCount, MAX_DAYS + 1) || dayCount === 0) return undefined;
  const found = new Map<number, DayFigures>();
  for (const row of rows) {
    if (!isDay(row, dayCount)) return undefined;
    const [requests, failures, totalTokens, cost, actualCost] = row.slice(1).map(BigInt);
    found.set(row[0], { requests, failures, totalTokens, cost, actualCost } as DayFigures);
  }
  if (found.size !== rows.length) return undefined;
  const days = Array.from({ length: dayCount }, (_, index) => found.get(index) ?? NO_ACTIVITY);
  return { ...question, role, endDate, days };
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const json: unknown = JSON.parse(text);
    return typeof json === "object" && json !== null
      ? (json as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}

function isIndex(value: unknown, end: number): value is number {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) < end;
}

function isDay(row: unknown, dayCount: number): row is DayJson {
  if (!Array.isArray(row) || row.length !== 6 || !isIndex(row[0], dayCount)) return false;
  return row.slice(1).every(isAmount);
}

function isAmount(value: unknown): value is string {
  return typeof value === "string" && AMOUNT.test(value) && BigInt(value) <= MAX_AMOUNT;
}
