import {
  type DescField,
  type DescMessage,
  getOption,
  isFieldSet,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence as Presence } from "@bufbuild/protobuf/wkt";
import {
  type FieldRules,
  field as fieldRules,
  Ignore,
  MapRulesSchema,
  RepeatedRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { CEL_PREDICATES } from "./cel-predicates.js";
import { compileMoment } from "./moment.js";
import { type Accept, both, compileEnum, compileScalar, hasOnly, REFUSE } from "./scalar.js";

type Fields = Readonly<Record<string, unknown>>;
/** Whether what a message says in one field surely keeps the rules. */
export type FieldCheck = (message: Fields) => boolean;
/** What accepts messages of a type. */
export type AcceptMessage = (schema: DescMessage) => Accept;
/** The type of a field, or of what a list or a map holds. */
type ValueType = Pick<DescField, "message" | "enum" | "scalar">;

/** @returns undefined when nothing is to be checked */
export function compileField(field: DescField, ofMessage: AcceptMessage): FieldCheck | undefined {
  const rules = getOption(field, fieldRules);
  if (rules.ignore === Ignore.ALWAYS) return undefined;
  if (rules.ignore !== Ignore.UNSPECIFIED) return REFUSE as FieldCheck;
  const accept = both(compileCel(rules), compileContent(field, rules, ofMessage));
  if (accept === undefined && !rules.required) return undefined;
  return placed(field, accept ?? (() => true), rules.required);
}

/** Where the value stands in the message, and whether it has to be there. */
function placed(field: DescField, accept: Accept, isRequired: boolean): FieldCheck {
  const { localName, oneof } = field;
  if (oneof) {
    return (message) => {
      const chosen = message[oneof.localName] as { case?: string; value?: unknown };
      return chosen.case === localName ? accept(chosen.value) : !isRequired;
    };
  }
  if (field.fieldKind === "message" || field.presence !== Presence.IMPLICIT) {
    return (message) => {
      const value = message[localName];
      return value === undefined ? !isRequired : accept(value);
    };
  }
  if (!isRequired) return (message) => accept(message[localName]);
  return (message) => isGiven(message[localName]) && accept(message[localName]);
}

/** Whether a value is another than the one that a field has which is not given. */
function isGiven(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return Boolean(value);
  return (Array.isArray(value) ? value : Object.keys(value)).length > 0;
}

function compileContent(
  field: DescField,
  rules: FieldRules,
  ofMessage: AcceptMessage,
): Accept | undefined {
  switch (field.fieldKind) {
    case "list":
      return compileList(field, rules, ofMessage);
    case "map":
      return compileMap(field, rules, ofMessage);
    default:
      return compileValue(field, rules, ofMessage);
  }
}

function compileValue(
  { message, enum: desc, scalar }: ValueType,
  rules: FieldRules,
  ofMessage: AcceptMessage,
): Accept | undefined {
  if (message) return both(ofMessage(message), compileMoment(message, rules.type));
  return desc ? compileEnum(desc, rules.type) : compileScalar(scalar as ScalarType, rules.type);
}

function compileCel({ cel, celExpression, $unknown }: FieldRules): Accept | undefined {
  if (celExpression.length > 0 || $unknown !== undefined) return REFUSE;
  return cel
    .map(({ expression }) => (CEL_PREDICATES.get(expression) ?? REFUSE) as Accept)
    .reduce<Accept | undefined>(both, undefined);
}

/** What accepts one item, key or value, by rules of its own. */
function compileInner(
  type: ValueType,
  rules: FieldRules | undefined,
  ofMessage: AcceptMessage,
): Accept | undefined {
  if (rules === undefined) return type.message && ofMessage(type.message);
  if (rules.ignore === Ignore.ALWAYS) return undefined;
  if (rules.ignore !== Ignore.UNSPECIFIED || rules.required) return REFUSE;
  return both(compileCel(rules), compileValue(type, rules, ofMessage));
}

const LIST_RULES: ReadonlySet<string> = new Set(["min_items", "max_items", "items"]);

function compileList(
  field: DescField & { fieldKind: "list" },
  { type }: FieldRules,
  ofMessage: AcceptMessage,
): Accept | undefined {
  if (type.case !== undefined && type.case !== "repeated") return REFUSE;
  const rules = type.value;
  if (rules && !hasOnly(RepeatedRulesSchema, rules, LIST_RULES)) return REFUSE;
  const { minItems, maxItems } = RepeatedRulesSchema.field;
  const minimum = limit(rules, minItems) ?? 0;
  const maximum = limit(rules, maxItems) ?? Number.POSITIVE_INFINITY;
  const accept = compileInner(field, rules?.items, ofMessage);
  return (value) => {
    const items = value as readonly unknown[];
    if (items.length < minimum || items.length > maximum) return false;
    return accept === undefined || items.every((item) => accept(item));
  };
}

const MAP_RULES: ReadonlySet<string> = new Set(["min_pairs", "max_pairs", "keys", "values"]);

function compileMap(
  field: DescField & { fieldKind: "map" },
  { type }: FieldRules,
  ofMessage: AcceptMessage,
): Accept | undefined {
  if (type.case !== undefined && type.case !== "map") return REFUSE;
  const rules = type.value;
  if (rules && !hasOnly(MapRulesSchema, rules, MAP_RULES)) return REFUSE;
  // Keys of other types are texts in memory and numbers in rules.
  if (rules?.keys && field.mapKey !== ScalarType.STRING) return REFUSE;
  const { minPairs, maxPairs } = MapRulesSchema.field;
  const minimum = limit(rules, minPairs) ?? 0;
  const maximum = limit(rules, maxPairs) ?? Number.POSITIVE_INFINITY;
  const acceptKey =
    rules?.keys &&
    compileInner(
      { message: undefined, enum: undefined, scalar: field.mapKey } as ValueType,
      rules.keys,
      ofMessage,
    );
  const acceptValue = compileInner(field, rules?.values, ofMessage);
  if (!rules && !acceptValue) return undefined;
  return (value) => {
    const map = value as Fields;
    const keys = Object.keys(map);
    if (keys.length < minimum || keys.length > maximum) return false;
    return keys.every(
      (key) => (!acceptKey || acceptKey(key)) && (!acceptValue || acceptValue(map[key])),
    );
  };
}

function limit(rules: Message | undefined, field: DescField): number | undefined {
  return rules && isFieldSet(rules, field) ? Number(rules[field.localName as never]) : undefined;
}
