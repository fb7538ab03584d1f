import { type FieldViolation, violation } from "../errors.js";
import { timeViolations } from "./time-validation.js";
import type { Budget } from "./types.js";

/** Longest id or name of what a budget applies to, but for tags, in characters. */
const MAX_SUBJECT_LENGTH = 200;

/** A tag as usage records can have it: a key of 1 to 63 characters, a value of up to 200. */
const TAG = /^[^=]{1,63}=.{0,200}$/su;

/** What the figures of a budget mean. */
export type BudgetMeaning = Pick<Budget, "scope" | "subject" | "measure">;

/** What a budget is judged by. */
export interface BudgetValidation {
  /** Where the budget is in the request: `document.budgets[3]`. */
  readonly path: string;
  /** The budget of that id as it is, or was when it was deleted. */
  readonly existing: BudgetMeaning | undefined;
  /** See `isValidTimeZone`. */
  readonly isTimeZone: (name: string) => boolean;
}

/** Everything that is wrong with a budget. */
export function budgetViolations(budget: Budget, validation: BudgetValidation): FieldViolation[] {
  const { path, existing, isTimeZone } = validation;
  return [
    ...subjectViolations(path, budget),
    ...(existing === undefined ? [] : changedMeaning(path, budget, existing)),
    ...periodViolations(`${path}.window`, budget.window, isTimeZone),
    ...timeViolations(`${path}.expire_time`, budget.expireTimeMs),
  ];
}

function subjectViolations(path: string, { scope, subject }: Budget): FieldViolation[] {
  const rule = subjectRule(scope, subject);
  return rule === undefined ? [] : [violation(`${path}.subject`, subject, rule)];
}

/** The rule that a subject breaks. */
function subjectRule(scope: Budget["scope"], subject: string): string | undefined {
  if (scope === "GLOBAL") return subject === "" ? undefined : "must be empty for GLOBAL";
  if (scope === "TAG") {
    const rule =
      'must be "key=value" for TAG, a key of 1 to 63 characters and a value of up to 200';
    return TAG.test(subject) ? undefined : rule;
  }
  if (subject === "") return `is required for ${scope}`;
  const isLong = [...subject].length > MAX_SUBJECT_LENGTH;
  return isLong ? `must have at most ${MAX_SUBJECT_LENGTH} characters for ${scope}` : undefined;
}

/**
 * What a budget has spent would be in another unit, or somebody else's, if these changed under it.
 */
function changedMeaning(path: string, budget: Budget, existing: BudgetMeaning): FieldViolation[] {
  const found: FieldViolation[] = [];
  for (const field of ["scope", "subject", "measure"] as const) {
    if (budget[field] === existing[field]) continue;
    const rule = `must stay ${JSON.stringify(existing[field])}, since spend is booked on it; give the new budget an id of its own`;
    found.push(violation(`${path}.${field}`, budget[field], rule));
  }
  return found;
}

/** Everything that is wrong with a window; `path` is where it is in the request. */
export function periodViolations(
  path: string,
  window: Budget["window"],
  isTimeZone: BudgetValidation["isTimeZone"],
): FieldViolation[] {
  const found = windowViolations(path, window);
  if (isTimeZone(window.timeZone)) return found;
  const rule = 'must be an IANA time zone such as "Europe/Berlin"';
  return [violation(`${path}.time_zone`, window.timeZone, rule), ...found];
}

function windowViolations(path: string, window: Budget["window"]): FieldViolation[] {
  const found: FieldViolation[] = [];
  const { kind, days, anchorMs } = window;
  const needsPeriods = kind === "EVERY_N_DAYS";
  const given = [
    ["days", days],
    ["anchor_time", anchorMs],
  ] as const;
  for (const [field, value] of given) {
    if (needsPeriods && value === undefined) {
      found.push(violation(`${path}.${field}`, value, "is required for EVERY_N_DAYS"));
    } else if (!needsPeriods && value !== undefined) {
      const rule = `must be unset for ${kind}, it is for EVERY_N_DAYS only`;
      found.push({ field: `${path}.${field}`, description: rule });
    }
  }
  found.push(...timeViolations(`${path}.anchor_time`, anchorMs ?? null));
  return found;
}
