import { type DescMessage, type DescOneof, getOption, type Message } from "@bufbuild/protobuf";
import { Edition } from "@bufbuild/protobuf/wkt";
import {
  message as messageRules,
  oneof as oneofRules,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";
import { CEL_PREDICATES } from "./cel-predicates.js";
import { compileField, type FieldCheck } from "./field.js";
import { type Accept, REFUSE } from "./scalar.js";

type Fields = Readonly<Record<string, unknown>>;

const compiled = new Map<DescMessage, Accept>();

/**
 * Whether the message surely breaks no rule of the contract, by functions that are made once for
 * each message type. False says nothing: protovalidate finds what is broken, if anything is, and
 * words it. It looks each field up by reflection and interprets what is written in CEL: of a check
 * of a quota that was a quarter.
 */
export function surelyKeepsRules(schema: DescMessage, message: Message): boolean {
  return acceptOf(schema)(message);
}

function acceptOf(schema: DescMessage): Accept {
  const known = compiled.get(schema);
  if (known) return known;
  let checks: readonly FieldCheck[] = [];
  const accept: Accept = (message) => {
    for (const check of checks) if (!check(message as Fields)) return false;
    return true;
  };
  // Known before its fields are compiled: a message may hold itself.
  compiled.set(schema, accept);
  checks = compileMessage(schema);
  return accept;
}

function compileMessage(schema: DescMessage): FieldCheck[] {
  // Those that come with protobuf have no rules in themselves.
  if (schema.file.name.startsWith("google/protobuf/")) return [];
  const rules = getOption(schema, messageRules);
  const isForeign = schema.file.edition !== Edition.EDITION_PROTO3;
  if (isForeign || rules.oneof.length > 0 || rules.celExpression.length > 0) return [REFUSE];
  return [
    ...schema.fields.flatMap((field) => compileField(field, acceptOf) ?? []),
    ...schema.oneofs.flatMap(compileOneof),
    ...rules.cel.map(({ expression }) => (CEL_PREDICATES.get(expression) ?? REFUSE) as FieldCheck),
  ];
}

function compileOneof(oneof: DescOneof): FieldCheck[] {
  if (!getOption(oneof, oneofRules).required) return [];
  return [(message) => (message[oneof.localName] as { case?: string }).case !== undefined];
}
