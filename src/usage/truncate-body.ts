import { toStorableJsonText } from "./storable-text.js";
import type { JsonValue } from "./usage-record.js";

/** What is stored of a body that is too long. */
export type TruncatedBody = {
  _truncated: true;
  /** Length of the whole body, bytes of its JSON in UTF-8. */
  _original_size: number;
  /** The beginning of its JSON. */
  _content: string;
};

const encoder = new TextEncoder();

/**
 * A body as it is stored: whole when its JSON has at most `maxBytes` bytes in UTF-8, otherwise
 * only the beginning of the JSON, cut between two characters. Either is made storable.
 *
 * @param maxBytes - 0 or more
 */
export function truncateBody(body: JsonValue, maxBytes: number): JsonValue | TruncatedBody {
  const json = JSON.stringify(body);
  const storable = toStorableJsonText(json);
  const size = Buffer.byteLength(json);
  if (size > maxBytes) {
    return { _truncated: true, _original_size: size, _content: cutUtf8(storable, maxBytes) };
  }
  return storable === json ? body : (JSON.parse(storable) as JsonValue);
}

/** The longest beginning of a text that fits into `maxBytes` of UTF-8 and cuts no character. */
function cutUtf8(text: string, maxBytes: number): string {
  const { read } = encoder.encodeInto(text, new Uint8Array(maxBytes));
  return text.slice(0, read);
}
