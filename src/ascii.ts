/** Longest text of a value that {@link showValue} repeats, in UTF-16 code units. */
const MAX_SHOWN_LENGTH = 64;

/**
 * The text in printable ASCII: whatever is outside of it, control characters and lone
 * surrogates included, becomes `\uXXXX`. Error texts travel in HTTP/2 headers, where nothing
 * else is safe, and end in terminals, where nothing else is either.
 *
 * @param maxLength - length of the result at most; a longer one is cut and ends in "...".
 */
export function toAscii(text: string, maxLength: number): string {
  const escaped = text.slice(0, maxLength + 1).replace(/[^\x20-\x7e]/g, escapeCodeUnit);
  if (escaped.length <= maxLength) return escaped;
  return `${escaped.slice(0, maxLength - 3)}...`;
}

/**
 * A value of a request as an error text repeats it: strings quoted, in ASCII and cut, numbers
 * in decimal, lists and objects by their size only.
 */
export function showValue(value: unknown): string {
  if (typeof value === "string") return showString(value);
  if (value === undefined || value === null) return "unset";
  if (Array.isArray(value)) return countOf(value.length, "item");
  if (value instanceof Uint8Array) return countOf(value.length, "byte");
  if (typeof value === "object") return countOf(Object.keys(value).length, "entry");
  return String(value);
}

function showString(text: string): string {
  if (text.length <= MAX_SHOWN_LENGTH) return quote(text);
  return `${quote(text.slice(0, MAX_SHOWN_LENGTH))}... (${text.length} characters)`;
}

function quote(text: string): string {
  return JSON.stringify(text).replace(/[^\x20-\x7e]/g, escapeCodeUnit);
}

function countOf(count: number, what: "item" | "byte" | "entry"): string {
  if (count === 1) return `1 ${what}`;
  return `${count} ${what === "entry" ? "entries" : `${what}s`}`;
}

function escapeCodeUnit(unit: string): string {
  return `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
