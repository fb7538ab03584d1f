/** Texts and JSON as hostile or careless callers send them. */
import fc from "fast-check";
import type { JsonValue } from "../../src/usage/usage-record.js";

const fragments = fc.constantFrom(
  "\0",
  "\ud800",
  "\udfff",
  "\ud83d\ude00",
  "\\",
  "\\u0000",
  "\\ud800",
  '"',
  "\n",
  "\u20ac",
  "\ufffd",
  "\u2028",
  "a",
  "__proto__",
);

/** Any UTF-16 units, with NUL, halves of surrogate pairs, and what looks like their escapes. */
export const hostileText = fc
  .array(fc.oneof({ weight: 3, arbitrary: fragments }, fc.string({ unit: "binary" })), {
    maxLength: 8,
  })
  .map((parts) => parts.join(""));

/** Header maps, with names that mean something to JavaScript. */
export const hostileHeaders = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.constantFrom("authorization", "Authorization", "X-API-KEY", "accept"),
        fc.constantFrom("__proto__", "constructor", "toString"),
        hostileText,
      ),
      hostileText,
    ),
    { maxLength: 6 },
  )
  // Unlike an assignment, this makes an own property even of "__proto__".
  .map((entries) => Object.fromEntries(entries) as Record<string, string>);

/** Any JSON value made of such texts. */
export const hostileJson = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    hostileText,
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie("value"), { maxLength: 4 }),
    fc
      .array(fc.tuple(hostileText, tie("value")), { maxLength: 4 })
      .map((entries) => Object.fromEntries(entries)),
  ),
})).value as fc.Arbitrary<JsonValue>;
