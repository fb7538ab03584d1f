import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { DurationSchema, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { isAlias, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap } from "yaml";
import { type KeyMeaning, knownKeys, meaningOf, requiredAmounts } from "./keys.js";
import {
  readDollars,
  readDuration,
  readEnum,
  readScalar,
  readTime,
  type ScalarReading,
  type YamlScalar,
} from "./scalars.js";

/** What reading a file gathers. */
export interface ReadContext {
  /** What an alias stands for; undefined for one that nothing is named by. */
  resolve(node: Node): Node | undefined;
  /** Remembers where in the file a part of the document is. */
  place(path: string, node: Node): void;
  /** Something is wrong with the part. */
  report(path: string, node: Node, text: string): void;
}

/** A part of the file, and where it is in the document. */
interface Part {
  readonly node: Node;
  readonly path: string;
}

type MessageFields = Record<string, unknown>;

/** Reads a mapping as the fields of a message; what is wrong is reported and left out. */
export function readMessage(part: Part, message: DescMessage, context: ReadContext): MessageFields {
  const { node, path } = part;
  if (!isMap(node)) {
    context.report(path, node, "must be a mapping of keys to values");
    return {};
  }
  const fields: MessageFields = {};
  const keysByField = new Map<string, string>();
  for (const pair of (node as YAMLMap<Node, Node | null>).items) {
    const key = keyOf(pair);
    const meaning = meaningOf(key, message);
    if (meaning === undefined) {
      const known = knownKeys(message).join(", ");
      context.report(path, pair.key, `unknown key ${JSON.stringify(key)}; known are ${known}`);
      continue;
    }
    const { name, localName } = meaning.field;
    const other = keysByField.get(name);
    if (other !== undefined) {
      // The same key twice is an error of YAML already.
      const text = `${key} and ${other} say the same; give one of them`;
      if (other !== key) context.report(path, pair.key, text);
      continue;
    }
    // `key:` with nothing behind it gives nothing.
    if (pair.value === null || isEmpty(pair.value)) continue;
    keysByField.set(name, key);
    const fieldPath = path === "" ? name : `${path}.${name}`;
    context.place(fieldPath, pair.key);
    const value = readField({ node: pair.value, path: fieldPath }, meaning, context);
    if (value !== undefined) fields[localName] = value;
  }
  for (const [name, key] of requiredAmounts(message)) {
    if (!keysByField.has(name)) context.report(path, node, `${key} is required; 0 is free`);
  }
  return fields;
}

/** Undefined for what is wrong. */
function readField(part: Part, { field, isDollars }: KeyMeaning, context: ReadContext): unknown {
  const { path } = part;
  const node = resolve(part.node, path, context);
  if (node === undefined) return undefined;
  if (field.fieldKind !== "list") return readValue({ node, path }, field, isDollars, context);
  if (!isSeq<Node>(node)) {
    context.report(path, node, "must be a list");
    return undefined;
  }
  return node.items.flatMap((item, index) => {
    const itemPath = `${path}[${index}]`;
    context.place(itemPath, item);
    const resolved = resolve(item, itemPath, context);
    if (resolved === undefined) return [];
    const value = readValue({ node: resolved, path: itemPath }, field, isDollars, context);
    return value === undefined ? [] : [value];
  });
}

function readValue(
  part: Part,
  field: DescField,
  isDollars: boolean,
  context: ReadContext,
): unknown {
  const { message } = field;
  const isText = message === undefined || message.typeName.startsWith("google.protobuf.");
  if (!isText) return readMessage(part, message, context);
  const { node, path } = part;
  if (!isScalar(node)) {
    context.report(path, node, "must be a single value");
    return undefined;
  }
  const scalar = { text: textOf(node.source, node.value), value: node.value };
  const reading = isDollars ? readDollars(scalar) : readByType(scalar, field);
  if ("value" in reading) return reading.value;
  context.report(path, node, `${reading.rule} (was ${JSON.stringify(scalar.text)})`);
  return undefined;
}

function readByType(scalar: YamlScalar, field: DescField): ScalarReading {
  if (field.enum) return readEnum(scalar, field.enum);
  switch (field.message?.typeName) {
    case TimestampSchema.typeName:
      return readTime(scalar);
    case DurationSchema.typeName:
      return readDuration(scalar);
    default:
      return readScalar(scalar, field.scalar);
  }
}

function resolve(node: Node, path: string, context: ReadContext): Node | undefined {
  if (!isAlias(node)) return node;
  const target = context.resolve(node);
  if (target === undefined) context.report(path, node, `nothing is named by ${node.toString()}`);
  return target;
}

/** Nothing, or null. */
function isEmpty(node: Node): boolean {
  return isScalar(node) && node.value === null;
}

function keyOf({ key }: Pair<Node, Node | null>): string {
  return isScalar(key) ? textOf(key.source, key.value) : String(key);
}

function textOf(source: string | undefined, value: unknown): string {
  return typeof value === "string" ? value : (source ?? String(value));
}
