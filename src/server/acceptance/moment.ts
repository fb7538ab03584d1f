import type { DescMessage } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import {
  DurationRulesSchema,
  type FieldRules,
  TimestampRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { type Accept, both, hasOnly, REFUSE } from "./scalar.js";

interface Moment {
  readonly seconds: bigint;
  readonly nanos: number;
}

const RULES: ReadonlySet<string> = new Set(["gt", "gte", "lt", "lte"]);

/**
 * What accepts a duration or a moment by the rules of its field. None outside of the range that
 * either has by definition is accepted, and no negative duration.
 *
 * @returns undefined when there are no rules
 */
export function compileMoment(
  { typeName }: DescMessage,
  rules: FieldRules["type"],
): Accept | undefined {
  switch (rules.case) {
    case undefined:
      return undefined;
    case "duration":
      if (typeName !== DurationSchema.typeName) return REFUSE;
      if (!hasOnly(DurationRulesSchema, rules.value, RULES)) return REFUSE;
      return compileBounds(rules.value);
    case "timestamp":
      if (typeName !== TimestampSchema.typeName) return REFUSE;
      if (!hasOnly(TimestampRulesSchema, rules.value, RULES)) return REFUSE;
      return compileBounds(rules.value);
    default:
      return REFUSE;
  }
}

interface Bound {
  readonly case: string | undefined;
  readonly value?: Moment | boolean | undefined;
}

interface Bounds {
  readonly greaterThan: Bound;
  readonly lessThan: Bound;
}

function compileBounds({ greaterThan, lessThan }: Bounds): Accept {
  const lower = greaterThan.value;
  const upper = lessThan.value;
  if (typeof lower === "boolean" || typeof upper === "boolean") return REFUSE;
  // Bounds the wrong way round mean what is outside of them.
  if (lower && upper && compare(lower, upper) >= 0) return REFUSE;
  const least = greaterThan.case === "gt" ? 1 : 0;
  const most = lessThan.case === "lt" ? -1 : 0;
  const above: Accept | undefined = lower && ((value) => compare(value as Moment, lower) >= least);
  const below: Accept | undefined = upper && ((value) => compare(value as Moment, upper) <= most);
  return both(isUsual, both(above, below)) as Accept;
}

/** -1, 0 or 1, for moments whose nanoseconds are in their range. */
function compare(one: Moment, other: Moment): number {
  if (one.seconds !== other.seconds) return one.seconds < other.seconds ? -1 : 1;
  return Math.sign(one.nanos - other.nanos);
}

function isUsual(value: unknown): boolean {
  const { seconds, nanos } = value as Moment;
  return seconds >= 0n && seconds <= MAX_SECONDS && nanos >= 0 && nanos <= 999_999_999;
}

/** The year 9999 for moments; durations may be a little longer. */
const MAX_SECONDS = 253_402_300_799n;
