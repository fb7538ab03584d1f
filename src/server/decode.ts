import { type DescMessage, fromBinary, type MessageShape } from "@bufbuild/protobuf";
import { malformedRequest } from "../errors.js";

/** Unknown fields would only be kept for an encoder that never sees them. */
const READ_OPTIONS = { readUnknownFields: false };

/** @throws DomainError MALFORMED_REQUEST when the bytes are no such message. */
export function decodeRequest<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  try {
    return fromBinary(schema, bytes, READ_OPTIONS);
  } catch (error) {
    throw malformedRequest(`the request is not a valid ${schema.typeName}`, error);
  }
}
