import { type DescEnum, type DescField, ScalarType } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { parseDurationMs } from "../../config-values.js";
import {
  DecimalError,
  MAX_INT64,
  NANO_USD_SCALE,
  parseDecimalToScaled,
} from "../../pricing/money.js";

/** A scalar of a YAML file. */
export interface YamlScalar {
  /** As it is written, without quotes: no number was made of it. */
  readonly text: string;
  /** What YAML takes it for. */
  readonly value: unknown;
}

/** What a scalar means, or what it must be. */
export type ScalarReading = { readonly value: unknown } | { readonly rule: string };

const MAX_INT32 = 2_147_483_647n;

/** Reads a scalar as the contract's field wants it. */
export function readScalar(scalar: YamlScalar, type: DescField["scalar"]): ScalarReading {
  switch (type) {
    case ScalarType.STRING:
      return { value: scalar.text };
    case ScalarType.BOOL:
      return typeof scalar.value === "boolean"
        ? { value: scalar.value }
        : { rule: "must be true or false" };
    case ScalarType.INT32:
      return readWholeNumber(scalar.text, MAX_INT32, Number);
    case ScalarType.INT64:
      return readWholeNumber(scalar.text, MAX_INT64, (value) => value);
    default:
      throw new Error(`no YAML form for scalar type ${type}`);
  }
}

/** Reads dollars, exactly, as nano-USD: "0.15" is 150,000,000. */
export function readDollars({ text }: YamlScalar): ScalarReading {
  const rule = `must be a decimal number of dollars with at most ${NANO_USD_SCALE} places`;
  const nanoUsd = parseScaled(text, NANO_USD_SCALE);
  if (nanoUsd === undefined) return { rule };
  return nanoUsd > MAX_INT64 ? { rule: "must be below 9,223,372,036 dollars" } : { value: nanoUsd };
}

/** Reads an enum value by its short name, `ADMIN`, or its full one, in any letter case. */
export function readEnum(
  { text }: YamlScalar,
  { values, sharedPrefix = "" }: DescEnum,
): ScalarReading {
  const wanted = text.toUpperCase();
  const prefix = sharedPrefix.toUpperCase();
  const allowed = values.filter(({ number }) => number !== 0);
  const found = allowed.find(({ name }) => name === wanted || name === prefix + wanted);
  if (found !== undefined) return { value: found.number };
  const names = allowed.map(({ name }) => name.slice(prefix.length));
  return { rule: `must be one of ${names.join(", ")}` };
}

const TIME = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

/** Reads a moment, RFC 3339 with its zone, or a date for midnight in UTC. */
export function readTime({ text }: YamlScalar): ScalarReading {
  const [, date = ""] = TIME.exec(text) ?? [];
  const ms = isCalendarDate(date) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(ms)) return { value: timestampFromMs(ms) };
  return { rule: "must be a date or a time with its zone, such as 2026-01-31T09:00:00+01:00" };
}

/** Date.parse takes the 30th of February for the 2nd of March. */
function isCalendarDate(date: string): boolean {
  const ms = Date.parse(date);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(date);
}

/** Reads a duration with its unit: "90s", "10m". */
export function readDuration({ text }: YamlScalar): ScalarReading {
  const ms = parseDurationMs(text);
  if (ms === undefined) return { rule: "must be a duration with its unit, such as 90s or 10m" };
  const seconds = Math.floor(ms / 1_000);
  return { value: { seconds: BigInt(seconds), nanos: (ms - seconds * 1_000) * 1_000_000 } };
}

function readWholeNumber(
  text: string,
  max: bigint,
  convert: (value: bigint) => unknown,
): ScalarReading {
  const value = parseScaled(text, 0);
  if (value === undefined) return { rule: "must be a whole number" };
  if (value > max || value < -max) return { rule: `must be at most ${max}` };
  return { value: convert(value) };
}

/** Digits may be grouped by underscores, 1_000_000. */
function parseScaled(text: string, scale: number): bigint | undefined {
  try {
    return parseDecimalToScaled(text.replace(/(?<=\d)_(?=\d)/g, ""), scale);
  } catch (error) {
    if (error instanceof DecimalError) return undefined;
    throw error;
  }
}
