import type { JsonValue } from "./usage-record.js";

/** What PostgreSQL's text and jsonb refuse: NUL, and surrogates without their other half. */
const UNSTORABLE = /\0|\p{Surrogate}/gu;

/** The same in JSON text, where `JSON.stringify` escapes both; other escapes match as they are. */
const ESCAPE = /\\(?:u0000|ud[89a-f][0-9a-f]{2}|.)/g;

/** Length of a `\uXXXX`: of the escapes that match, only unstorable ones are as long. */
const UNSTORABLE_ESCAPE_LENGTH = 6;

/** Finds most texts without a need to look at every escape. */
const MAYBE_UNSTORABLE = /\\u(?:0000|d[89a-f])/;

const REPLACEMENT = "\ufffd";

/**
 * The text as PostgreSQL can store it: every NUL and every lone surrogate becomes U+FFFD, the
 * replacement character. All else is kept.
 */
export function toStorableText(text: string): string {
  return text.replace(UNSTORABLE, REPLACEMENT);
}

/**
 * The same for JSON text as `JSON.stringify` writes it, in all strings and keys. Keys that differ
 * in nothing else become one; the last of them wins.
 */
export function toStorableJsonText(json: string): string {
  if (!MAYBE_UNSTORABLE.test(json)) return json;
  return json.replace(ESCAPE, (found) =>
    found.length === UNSTORABLE_ESCAPE_LENGTH ? REPLACEMENT : found,
  );
}

/** Whether a string or a key in the value has a NUL or a lone surrogate. */
export function hasUnstorableText(value: JsonValue): boolean {
  const json = JSON.stringify(value);
  return toStorableJsonText(json) !== json;
}
