import { type DescField, type DescMessage, type MessageShape, toJson } from "@bufbuild/protobuf";
import {
  isReflectList,
  isReflectMap,
  isReflectMessage,
  type Path,
  pathToString,
  type ReflectMessage,
  reflect,
} from "@bufbuild/protobuf/reflect";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { createValidator, type Violation } from "@bufbuild/protovalidate";
import { showValue } from "../ascii.js";
import { type FieldViolation, invalidFields } from "../errors.js";
import { surelyKeepsRules } from "./acceptance/accepts.js";
import { matchesPattern } from "./acceptance/pattern.js";

/** Compiles the rules of a message when it first meets one, and keeps them. */
const validator = createValidator({ regexMatch: matchesPattern });

/**
 * Every rule of the contract that the message breaks, in the order of its fields.
 *
 * @param prefix - where the message stands in the request: `requests[3]` for an item of a batch.
 * @throws when a rule of the contract itself is wrong.
 */
export function validateMessage<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  prefix = "",
): FieldViolation[] {
  if (surelyKeepsRules(schema, message)) return [];
  return interpretRules(schema, message, prefix);
}

/** The same as {@link validateMessage}, always asked of protovalidate: exact, slow, and in words. */
export function interpretRules<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  prefix = "",
): FieldViolation[] {
  const result = validator.validate(schema, message);
  if (result.kind === "valid") return [];
  if (result.kind === "error") throw result.error;
  const root = reflect(schema, message);
  return result.violations.map((violation) => toFieldViolation(root, violation, prefix));
}

/**
 * The rules of the contract and a further one, all that the message breaks. A field that the
 * contract blames is not blamed twice.
 */
export function allViolations(
  contract: readonly FieldViolation[],
  further: readonly FieldViolation[],
): FieldViolation[] {
  const blamed = new Set(contract.map(({ field }) => field));
  return [...contract, ...further.filter(({ field }) => !blamed.has(field))];
}

/** @throws DomainError INVALID_FIELD with every violation, when the message breaks a rule. */
export function assertValid<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  rule?: (message: MessageShape<Desc>) => FieldViolation[],
): void {
  const contract = validateMessage(schema, message);
  const violations = rule === undefined ? contract : allViolations(contract, rule(message));
  if (violations.length > 0) throw invalidFields(violations);
}

function toFieldViolation(
  root: ReflectMessage,
  violation: Violation,
  prefix: string,
): FieldViolation {
  const value = valueAt(root, violation.field);
  const blamed = isReflectMessage(value) ? blamedField(value.desc, violation.message) : undefined;
  if (blamed !== undefined) {
    return { field: join(prefix, [...violation.field, ...blamed.path]), description: blamed.rule };
  }
  const rule = READABLE_RULES.get(violation.message) ?? violation.message;
  const shown = violation.forKey ? showKey(violation.field) : show(value);
  const description = shown === undefined ? rule : `${rule} (was ${shown})`;
  return { field: join(prefix, violation.field), description };
}

/** The texts of rules that say what they mean only to those who read regular expressions. */
const READABLE_RULES = new Map([
  ["does not match regex pattern `^[^\\x00]*$`", "must not contain NUL"],
  ["does not match regex pattern `^[^\\x00=]*$`", 'must not contain NUL or "="'],
]);

/** A rule over several fields names the one to blame at the start of its text: "user_id: ...". */
const BLAME = /^([a-z][a-z0-9_]*): (.+)$/s;

function blamedField(message: DescMessage, text: string): { path: Path; rule: string } | undefined {
  const [, name, rule] = BLAME.exec(text) ?? [];
  const field = message.fields.find((candidate) => candidate.name === name);
  return field === undefined || rule === undefined ? undefined : { path: [field], rule };
}

function join(prefix: string, path: Path): string {
  const text = pathToString(path);
  return prefix === "" || text === "" ? prefix + text : `${prefix}.${text}`;
}

function valueAt(root: ReflectMessage, path: Path): unknown {
  let value: unknown = root;
  for (const step of path) {
    if (step.kind === "field" && isReflectMessage(value)) value = fieldValue(value, step);
    else if (step.kind === "list_sub" && isReflectList(value)) value = value.get(step.index);
    else if (step.kind === "map_sub" && isReflectMap(value)) value = value.get(step.key);
    else return undefined;
  }
  return value;
}

function fieldValue(message: ReflectMessage, field: DescField): unknown {
  if (field.fieldKind === "message" && !message.isSet(field)) return undefined;
  return message.get(field);
}

function showKey(path: Path): string | undefined {
  const last = path.at(-1);
  return last?.kind === "map_sub" ? showValue(last.key) : undefined;
}

/** Undefined for what has no short text: most messages, and what is not set. */
function show(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (isReflectList(value) || isReflectMap(value)) return `${value.size} entries`;
  if (isReflectMessage(value)) return showTime(value);
  return showValue(value);
}

function showTime({ desc, message }: ReflectMessage): string | undefined {
  if (desc.typeName !== TimestampSchema.typeName && desc.typeName !== DurationSchema.typeName) {
    return undefined;
  }
  try {
    return String(toJson(desc, message));
  } catch {
    // Out of the range that its text form has; the rule is named all the same.
    return undefined;
  }
}
