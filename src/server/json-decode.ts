import {
  create,
  createRegistry,
  type DescMessage,
  fromJson,
  type JsonObject,
  type JsonValue,
  type MessageShape,
  type Registry,
} from "@bufbuild/protobuf";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.js";
import { malformedRequest } from "../errors.js";

/** The messages that travel inside of others in JSON: the details of errors. */
export const jsonRegistry: Registry = createRegistry(file_google_rpc_error_details);

/**
 * Reads a request of protobuf's JSON. Names that the message does not have are refused: a misspelt
 * one would be left out unseen. No bytes at all are a message of which nothing is set.
 *
 * @throws DomainError MALFORMED_REQUEST, which says what is wrong
 */
export function decodeJsonRequest<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  const what = `the request is not a valid ${schema.typeName}`;
  const json = parseJson(bytes, what);
  try {
    return fromJson(schema, json, { registry: jsonRegistry });
  } catch (error) {
    throw malformedRequest(`${what}${explain(error)}`, error);
  }
}

/** As `decodeNumbers`, of a message in JSON that does not decode. Never throws. */
export function decodeJsonNumbers<Desc extends DescMessage>(
  schema: Desc,
  bytes: Uint8Array,
): MessageShape<Desc> {
  try {
    const json = parseJson(bytes, "");
    return fromJson(schema, numbersOf(json), { ignoreUnknownFields: true });
  } catch {
    return create(schema);
  }
}

function parseJson(bytes: Uint8Array, what: string): JsonValue {
  if (bytes.length === 0) return {};
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (error) {
    throw malformedRequest(`${what}: it is no JSON in UTF-8`, error);
  }
}

function numbersOf(json: JsonValue): JsonObject {
  const isWhole = ([, value]: [string, unknown]) => /^-?\d{1,20}$/.test(String(value));
  return Object.fromEntries(Object.entries(json as JsonObject).filter(isWhole));
}

/** What the library says of the field and its value; nothing of what may go wrong beside that. */
function explain(error: unknown): string {
  const text = error instanceof Error ? error.message : "";
  const isAboutInput = /^cannot decode (?:message|field|map|list) /.test(text);
  return isAboutInput ? `: ${text}` : "";
}
