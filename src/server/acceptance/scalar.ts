import {
  type DescEnum,
  type DescMessage,
  isFieldSet,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import type {
  EnumRules,
  FieldRules,
  Int32Rules,
  Int64Rules,
  StringRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import {
  EnumRulesSchema,
  Int32RulesSchema,
  Int64RulesSchema,
  StringRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { expressionOf } from "./pattern.js";

/** Whether a value surely keeps the rules that were compiled. */
export type Accept = (value: unknown) => boolean;

/** Accepts nothing: what is not compiled here is left to protovalidate. */
export const REFUSE: Accept = () => false;

/**
 * What accepts a text, number, truth value or bytes by the rules of its field.
 *
 * @returns undefined when there are no rules
 */
export function compileScalar(type: ScalarType, rules: FieldRules["type"]): Accept | undefined {
  switch (rules.case) {
    case undefined:
      return undefined;
    case "string":
      return type === ScalarType.STRING ? compileText(rules.value) : REFUSE;
    case "int32":
      return type === ScalarType.INT32 ? compileRange(Int32RulesSchema, rules.value) : REFUSE;
    case "int64":
      return type === ScalarType.INT64 ? compileRange(Int64RulesSchema, rules.value) : REFUSE;
    default:
      return REFUSE;
  }
}

/** What accepts a value of an enum; undefined when there are no rules. */
export function compileEnum(desc: DescEnum, rules: FieldRules["type"]): Accept | undefined {
  if (rules.case === undefined) return undefined;
  if (rules.case !== "enum" || !hasOnly(EnumRulesSchema, rules.value, ENUM_RULES)) return REFUSE;
  const { definedOnly, notIn }: EnumRules = rules.value;
  if (!definedOnly) return (value) => !notIn.includes(value as number);
  const accepted = new Set<unknown>(desc.values.map(({ number }) => number));
  for (const number of notIn) accepted.delete(number);
  return (value) => accepted.has(value);
}

const ENUM_RULES: ReadonlySet<string> = new Set(["defined_only", "not_in"]);

/** Whether a message of rules has none but these. */
export function hasOnly(schema: DescMessage, rules: Message, names: ReadonlySet<string>): boolean {
  if (rules.$unknown !== undefined && rules.$unknown.length > 0) return false;
  return schema.fields.every((field) => names.has(field.name) || !isFieldSet(rules, field));
}

const TEXT_RULES: ReadonlySet<string> = new Set(["min_len", "max_len", "max_bytes", "pattern"]);

function compileText(rules: StringRules): Accept {
  if (!hasOnly(StringRulesSchema, rules, TEXT_RULES)) return REFUSE;
  const { field } = StringRulesSchema;
  const minimum = Number(rules.minLen);
  const maximum = isFieldSet(rules, field.maxLen) ? Number(rules.maxLen) : Infinity;
  const maxBytes = isFieldSet(rules, field.maxBytes) ? Number(rules.maxBytes) : Infinity;
  const matches = compilePattern(rules.pattern);
  const accept = (text: string) =>
    isLongEnough(text, minimum) &&
    (text.length <= maximum || codePoints(text) <= maximum) &&
    (text.length * MAX_BYTES_A_UNIT <= maxBytes || Buffer.byteLength(text) <= maxBytes) &&
    matches(text);
  // Most texts of a message are not given.
  const acceptsNothing = accept("");
  return (text) => (text === "" ? acceptsNothing : accept(text as string));
}

/** UTF-8 takes three bytes for a UTF-16 code unit at most. */
const MAX_BYTES_A_UNIT = 3;

function compilePattern(pattern: string): (text: string) => boolean {
  if (pattern === "") return () => true;
  if (pattern === NO_NUL) return (text) => !text.includes("\0");
  const expression = expressionOf(pattern);
  return (text) => expression.test(text);
}

const NO_NUL = "^[^\\x00]*$";

/** A text has at least half as many code points as UTF-16 code units. */
function isLongEnough(text: string, minimum: number): boolean {
  return text.length >= minimum && (text.length >= 2 * minimum || codePoints(text) >= minimum);
}

function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

const RANGE_RULES: ReadonlySet<string> = new Set(["gt", "gte", "lt", "lte"]);

function compileRange(schema: DescMessage, rules: Int32Rules | Int64Rules): Accept {
  if (!hasOnly(schema, rules, RANGE_RULES)) return REFUSE;
  const { greaterThan: lower, lessThan: upper } = rules;
  // Bounds the wrong way round mean what is outside of them.
  if (lower.case && upper.case && !(lower.value < upper.value)) return REFUSE;
  const above = lower.case === undefined ? undefined : compileLower(lower.case, lower.value);
  const below = upper.case === undefined ? undefined : compileUpper(upper.case, upper.value);
  return both(above, below) ?? REFUSE;
}

function compileLower(kind: "gt" | "gte", bound: number | bigint): Accept {
  return kind === "gt"
    ? (value) => (value as number | bigint) > bound
    : (value) => (value as number | bigint) >= bound;
}

function compileUpper(kind: "lt" | "lte", bound: number | bigint): Accept {
  return kind === "lt"
    ? (value) => (value as number | bigint) < bound
    : (value) => (value as number | bigint) <= bound;
}

/** What accepts what both accept; undefined accepts everything. */
export function both(first: Accept | undefined, second: Accept | undefined): Accept | undefined {
  if (first === undefined) return second;
  if (second === undefined) return first;
  return (value) => first(value) && second(value);
}
