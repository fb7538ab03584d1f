import { toStorableText } from "./storable-text.js";

/** Header names and values. */
export type HeaderMap = Readonly<Record<string, string>>;

const MASK = "****";

/** How many characters stay visible at each end of a masked value. */
const SHOWN = 4;

/**
 * The headers with every sensitive value masked: its first and last four characters around
 * `****`, and only `****` for one of eight characters or fewer. Characters are code points, so
 * that none is cut in half. A name is sensitive in any case and with spaces around it. Names and
 * values are made storable.
 *
 * @param sensitive - names in lower case
 * @returns an object without prototype, in which every name is only a name
 */
export function redactHeaders(headers: HeaderMap, sensitive: ReadonlySet<string>): HeaderMap {
  const redacted: Record<string, string> = Object.create(null);
  for (const [name, value] of Object.entries(headers)) {
    const storable = toStorableText(value);
    const isSensitive = sensitive.has(name.trim().toLowerCase());
    redacted[toStorableText(name)] = isSensitive ? mask(storable) : storable;
  }
  return redacted;
}

function mask(value: string): string {
  // A character has one or two units; looking at the ends alone spares long values the spreading.
  const head = Array.from(value.slice(0, 2 * SHOWN)).slice(0, SHOWN);
  const tail = Array.from(value.slice(-2 * SHOWN)).slice(-SHOWN);
  const isShort = value.length <= 4 * SHOWN && Array.from(value).length <= 2 * SHOWN;
  return isShort ? MASK : [...head, MASK, ...tail].join("");
}
