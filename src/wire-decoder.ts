import { type DescField, type DescMessage, type Message, ScalarType } from "@bufbuild/protobuf";
import { Edition } from "@bufbuild/protobuf/wkt";
import { compileEmpty } from "./wire-empty.js";
import { WireReader } from "./wire-reader.js";

type Fields = Record<string, unknown>;
/** Reads one value, which has to end before `limit`. */
type ReadValue = (reader: WireReader, limit: number) => unknown;
/** Reads one field, whose tag has been read, into the message. */
type ReadField = (message: Fields, reader: WireReader, limit: number) => void;

const compiled = new Map<DescMessage, ReadValue>();
const reader = new WireReader();

/**
 * The same message as protobuf-es' `fromBinary` makes, from functions that are made once for each
 * message type. `fromBinary` looks every field up by reflection, each time, and so does the message
 * that it fills.
 *
 * @returns undefined when there is anything in the bytes that is not read here: fields that the
 *   contract does not know, JSON, numbers of another length than usual, whatever is broken.
 *   `fromBinary` reads those, or says what is wrong.
 */
export function decodeCompiled(schema: DescMessage, bytes: Uint8Array): Message | undefined {
  reader.begin(bytes);
  try {
    const message = readerOf(schema)(reader, bytes.length);
    return reader.hasStopped ? undefined : (message as Message);
  } catch {
    // Text that is no UTF-8.
    return undefined;
  } finally {
    reader.end();
  }
}

function readerOf(schema: DescMessage): ReadValue {
  const known = compiled.get(schema);
  if (known) return known;
  // A message that holds itself is refused there: how deep it may go is not counted here.
  compiled.set(schema, REFUSE);
  const read = isPlain(schema) ? compileMessage(schema) : REFUSE;
  compiled.set(schema, read);
  return read;
}

const REFUSE: ReadValue = (source) => source.stop();

/** JSON and wrappers have another form in memory than on the wire. */
function isPlain({ file }: DescMessage): boolean {
  if (file.edition !== Edition.EDITION_PROTO3) return false;
  return (
    file.name !== "google/protobuf/struct.proto" && file.name !== "google/protobuf/wrappers.proto"
  );
}

function compileMessage(schema: DescMessage): ReadValue {
  const make = compileEmpty(schema);
  /** By tag, which is the field's number and wire type. */
  const fields: (ReadField | undefined)[] = [];
  for (const field of schema.fields) {
    const tag = (field.number << 3) | wireTypeOf(field);
    if (tag < MAX_TAG) fields[tag] = compileField(field);
  }
  return (source, limit) => {
    const message = make() as unknown as Fields;
    while (source.position < limit) {
      const read = fields[source.varint()];
      if (read === undefined || source.hasStopped) {
        source.stop();
        return message;
      }
      read(message, source, limit);
    }
    // What says that it is longer than what holds it.
    if (source.position > limit) source.stop();
    return message;
  };
}

/** Tags are looked up in an array. */
const MAX_TAG = 1_024;

function compileField(field: DescField): ReadField {
  const { localName, oneof } = field;
  if (field.fieldKind === "map") return compileMapEntry(field);
  if (field.fieldKind === "list" && field.packed) return REFUSE_FIELD;
  const read = compileValue(field);
  if (field.fieldKind === "list") {
    return (message, source, limit) => {
      (message[localName] as unknown[]).push(read(source, limit));
    };
  }
  const isMessage = field.fieldKind === "message";
  if (oneof) {
    return (message, source, limit) => {
      // Two of the same are merged.
      if (isMessage && (message[oneof.localName] as { case?: string }).case) source.stop();
      message[oneof.localName] = { case: localName, value: read(source, limit) };
    };
  }
  return (message, source, limit) => {
    if (isMessage && message[localName] !== undefined) source.stop();
    message[localName] = read(source, limit);
  };
}

/** Entries are read in which the key comes first and then the value, as everybody writes them. */
function compileMapEntry(field: DescField & { fieldKind: "map" }): ReadField {
  const { localName } = field;
  if (field.mapKey !== ScalarType.STRING || field.scalar !== ScalarType.STRING) return REFUSE_FIELD;
  return (message, source, limit) => {
    const end = source.delimitedEnd(limit);
    if (source.varint() !== KEY_TAG) source.stop();
    const key = source.text(end);
    if (source.varint() !== VALUE_TAG) source.stop();
    const value = source.text(end);
    if (source.position !== end) source.stop();
    (message[localName] as Fields)[key] = value;
  };
}

const REFUSE_FIELD: ReadField = (_, source) => source.stop();

function compileValue(field: DescField): ReadValue {
  if (field.message) return compileMessageValue(field.message);
  if (field.enum) return field.enum.open ? (source) => source.varint() : REFUSE;
  switch (field.scalar) {
    case ScalarType.STRING:
      return (source, limit) => source.text(limit);
    case ScalarType.BOOL:
      return (source) => source.bool();
    case ScalarType.INT32:
      return (source) => source.varint();
    case ScalarType.INT64:
      return isText(field) ? REFUSE : (source) => source.varint64();
    default:
      return REFUSE;
  }
}

/** Whether a number is a text in memory. */
function isText(field: DescField): boolean {
  return "longAsString" in field && field.longAsString;
}

function compileMessageValue(schema: DescMessage): ReadValue {
  const read = readerOf(schema);
  return (source, limit) => {
    const end = source.delimitedEnd(limit);
    return source.hasStopped ? undefined : read(source, end);
  };
}

const VARINT = 0;
const LENGTH_DELIMITED = 2;
const KEY_TAG = (1 << 3) | LENGTH_DELIMITED;
const VALUE_TAG = (2 << 3) | LENGTH_DELIMITED;

/** Numbers of fixed length are not read here, so that their wire type does not matter. */
function wireTypeOf(field: DescField): number {
  const isText = field.scalar === ScalarType.STRING || field.scalar === ScalarType.BYTES;
  // A packed list comes under this type, and is refused.
  const isPacked = field.fieldKind === "list" && field.packed;
  return field.message || field.fieldKind === "map" || isText || isPacked
    ? LENGTH_DELIMITED
    : VARINT;
}
