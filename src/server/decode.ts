import { create, type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { malformedRequest } from "../errors.js";
import { decodeCompiled } from "../wire-decoder.js";

/** Unknown fields would only be kept for an encoder that never sees them. */
const READ_OPTIONS = { readUnknownFields: false };

/** @throws DomainError MALFORMED_REQUEST when the bytes are no such message. */
export function decodeRequest<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  const message = decodeCompiled(schema, bytes);
  if (message !== undefined) return message as MessageShape<Desc>;
  try {
    return fromBinary(schema, bytes, READ_OPTIONS);
  } catch (error) {
    throw malformedRequest(`the request is not a valid ${schema.typeName}`, error);
  }
}

/**
 * The numbers that stand in the message itself, of bytes that do not decode: enough to tell a
 * caller which message it was. Texts, and messages within, are left out, and so is all that comes
 * after what cannot be read. Never throws.
 */
export function decodeNumbers<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  try {
    return fromBinary(schema, Buffer.concat(numbersOf(bytes)), READ_OPTIONS);
  } catch {
    return create(schema);
  }
}

function numbersOf(bytes: Uint8Array): Uint8Array[] {
  const reader = new BinaryReader(bytes);
  const numbers: Uint8Array[] = [];
  try {
    while (reader.pos < reader.len) {
      const start = reader.pos;
      const [field, type] = reader.tag();
      reader.skip(type, field);
      if (type === WireType.Varint) numbers.push(bytes.subarray(start, reader.pos));
    }
  } catch {
    // What came before it stands.
  }
  return numbers;
}
