import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Message,
  ScalarType,
} from "@bufbuild/protobuf";
import {
  FeatureSet_FieldPresence as Presence,
  StructSchema,
  ValueSchema,
} from "@bufbuild/protobuf/wkt";
import { WireWriter } from "./wire-writer.js";

/** Writes the fields of one message. */
type WriteMessage = (message: Fields, writer: WireWriter) => void;
/** Writes one value, without its tag. */
type WriteValue = (value: never, writer: WireWriter) => void;
/** Writes one field with its tag, if it is set. */
type WriteField = (message: Fields, writer: WireWriter) => void;
type Fields = Readonly<Record<string, unknown>> & Pick<Message, "$unknown">;

const compiled = new Map<DescMessage, WriteMessage>();
const writer = new WireWriter();

/**
 * The same bytes as protobuf-es' `toBinary`, from functions that are made once for each message
 * type. `toBinary` looks every field up by reflection, each time: an answer to RecordUsage took it
 * 17 microseconds, a sixth of the call.
 */
export function encodeCompiled(schema: DescMessage, message: Message): Buffer {
  writer.reset();
  writerOf(schema)(message as unknown as Fields, writer);
  return writer.copy();
}

function writerOf(schema: DescMessage): WriteMessage {
  const known = compiled.get(schema);
  if (known) return known;
  let fields: readonly WriteField[] = [];
  const write: WriteMessage = (message, target) => {
    for (const field of fields) field(message, target);
    if (message.$unknown) writeUnknown(message.$unknown, target);
  };
  // Known before its fields are made: a message may hold itself.
  compiled.set(schema, write);
  fields = schema.fields.map(fieldWriter);
  return write;
}

function writeUnknown(unknown: NonNullable<Message["$unknown"]>, target: WireWriter): void {
  for (const { no, wireType, data } of unknown) {
    target.varint32((no << 3) | wireType);
    target.raw(data);
  }
}

function fieldWriter(field: DescField): WriteField {
  switch (field.fieldKind) {
    case "list":
      return listWriter(field);
    case "map":
      return mapWriter(field);
    default:
      return singularWriter(field);
  }
}

function singularWriter(
  field: DescField & { fieldKind: "scalar" | "enum" | "message" },
): WriteField {
  const { localName, oneof } = field;
  const tag = tagOf(field.number, wireTypeOf(field));
  const write = valueWriter(field) as (value: unknown, target: WireWriter) => void;
  const put = (value: unknown, target: WireWriter) => {
    target.varint32(tag);
    write(value, target);
  };
  if (oneof) {
    return (message, target) => {
      const chosen = message[oneof.localName] as { case?: string; value?: unknown };
      if (chosen.case === localName) put(chosen.value, target);
    };
  }
  if (field.presence !== Presence.IMPLICIT) {
    return (message, target) => {
      const value = message[localName];
      // What is not set may show a default through the prototype.
      if (value !== undefined && Object.hasOwn(message, localName)) put(value, target);
    };
  }
  return (message, target) => {
    const value = message[localName];
    if (!isZero(value)) put(value, target);
  };
}

/** Whether a value is the one that proto3 does not write; -0 is written. */
function isZero(value: unknown): boolean {
  if (typeof value === "object") return (value as Uint8Array).length === 0;
  return value === "" || value === false || value === 0n || Object.is(value, 0);
}

function listWriter(field: DescField & { fieldKind: "list" }): WriteField {
  const { localName } = field;
  const write = valueWriter(field) as (value: unknown, target: WireWriter) => void;
  if (field.packed) {
    const tag = tagOf(field.number, LENGTH_DELIMITED);
    return (message, target) => {
      const values = message[localName] as readonly unknown[];
      if (values.length === 0) return;
      target.varint32(tag);
      target.delimited(() => {
        for (const value of values) write(value, target);
      });
    };
  }
  const tag = tagOf(field.number, wireTypeOf(field));
  return (message, target) => {
    for (const value of message[localName] as readonly unknown[]) {
      target.varint32(tag);
      write(value, target);
    }
  };
}

function mapWriter(field: DescField & { fieldKind: "map" }): WriteField {
  const tag = tagOf(field.number, LENGTH_DELIMITED);
  const keyTag = tagOf(1, scalarWireType(field.mapKey));
  const valueTag = tagOf(2, wireTypeOf(field));
  const writeKey = SCALAR_WRITERS[field.mapKey] as (key: unknown, target: WireWriter) => void;
  const write = valueWriter(field) as (value: unknown, target: WireWriter) => void;
  return (message, target) => {
    const map = message[field.localName] as Readonly<Record<string, unknown>>;
    for (const key of Object.keys(map)) {
      target.varint32(tag);
      target.delimited(() => {
        target.varint32(keyTag);
        writeKey(toMapKey(key, field.mapKey), target);
        target.varint32(valueTag);
        write(map[key], target);
      });
    }
  };
}

/** Keys of an object are text, whatever they are in the contract. */
function toMapKey(key: string, type: ScalarType): unknown {
  if (type === ScalarType.STRING) return key;
  if (type === ScalarType.BOOL) return key === "true";
  return LONG_TYPES.has(type) ? BigInt(key) : Number(key);
}

function valueWriter(field: DescField): WriteValue {
  if (field.message) return isPlainJson(field) ? writeStruct : messageWriter(field.message);
  if (field.enum) return SCALAR_WRITERS[ScalarType.INT32];
  return SCALAR_WRITERS[field.scalar as ScalarType];
}

function messageWriter(schema: DescMessage): WriteValue {
  const write = writerOf(schema);
  return (message: Fields, target: WireWriter) => target.delimited(() => write(message, target));
}

/** protobuf-es keeps a Struct inside another message as plain JSON, but not inside a Value. */
function isPlainJson(field: DescField): boolean {
  const { message, parent } = field;
  return message?.typeName === StructSchema.typeName && parent.typeName !== ValueSchema.typeName;
}

const writeStruct: WriteValue = (json: JsonValue, target: WireWriter) =>
  target.delimited(() =>
    writerOf(StructSchema)(fromJson(StructSchema, json) as unknown as Fields, target),
  );

const SCALAR_WRITERS: Readonly<Record<ScalarType, WriteValue>> = {
  [ScalarType.STRING]: (value: string, target) => target.text(value),
  [ScalarType.BYTES]: (value: Uint8Array, target) => target.blob(value),
  [ScalarType.BOOL]: (value: boolean, target) => target.varint32(value ? 1 : 0),
  [ScalarType.INT32]: (value: number, target) => target.int32(value),
  [ScalarType.UINT32]: (value: number, target) => target.varint32(value),
  [ScalarType.SINT32]: (value: number, target) => target.varint32((value << 1) ^ (value >> 31)),
  [ScalarType.INT64]: (value: bigint, target) => target.varint64(value),
  [ScalarType.UINT64]: (value: bigint, target) => target.varint64(value),
  [ScalarType.SINT64]: (value: bigint, target) => target.varint64((value << 1n) ^ (value >> 63n)),
  [ScalarType.FIXED32]: (value: number, target) => target.fixed32(value),
  [ScalarType.SFIXED32]: (value: number, target) => target.fixed32(value),
  [ScalarType.FIXED64]: (value: bigint, target) => target.fixed64(value),
  [ScalarType.SFIXED64]: (value: bigint, target) => target.fixed64(value),
  [ScalarType.DOUBLE]: (value: number, target) => target.double(value),
  [ScalarType.FLOAT]: (value: number, target) => target.float(value),
};

const LONG_TYPES: ReadonlySet<ScalarType> = new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

const VARINT = 0;
const BIT_64 = 1;
const LENGTH_DELIMITED = 2;
const BIT_32 = 5;

function tagOf(number: number, wireType: number): number {
  return ((number << 3) | wireType) >>> 0;
}

function wireTypeOf(field: DescField): number {
  if (field.message) return LENGTH_DELIMITED;
  return field.enum ? VARINT : scalarWireType(field.scalar as ScalarType);
}

function scalarWireType(type: ScalarType): number {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return LENGTH_DELIMITED;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return BIT_64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return BIT_32;
    default:
      return VARINT;
  }
}
