import type { CustomTypesConfig } from "pg";
import pg from "pg";

type TypeId = Parameters<typeof pg.types.getTypeParser>[0];

const { builtins } = pg.types;
const INT8_ARRAY_OID = 1016;
const TEXT_ARRAY_OID = 1009;

type TextParser = (value: string) => unknown;

/** pg's own parser of array literals; it knows quoting, NULL and nesting. */
const parseTextArray = pg.types.getTypeParser(TEXT_ARRAY_OID as TypeId, "text") as TextParser;

function toBigInts(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(toBigInts);
  return typeof value === "string" ? BigInt(value) : value;
}

/** Parsers that differ from pg's defaults, by type oid. */
const PARSERS: ReadonlyMap<number, TextParser> = new Map<number, TextParser>([
  // Money and token counts pass 2^53; pg would give strings, which add up by concatenation.
  [builtins.INT8, BigInt],
  [INT8_ARRAY_OID, (value) => toBigInts(parseTextArray(value))],
  // A calendar day has no time zone; pg would make it midnight in the zone of this process.
  [builtins.DATE, (value) => value],
]);

/**
 * How column values become JavaScript values, for one connection: pg's global registry stays
 * as it is. int8 and int8[] become `bigint`; numeric stays a string and loses nothing;
 * timestamptz becomes a `Date` (to the millisecond); date stays "YYYY-MM-DD"; the rest is
 * as pg has it.
 */
export const typeParsers: CustomTypesConfig = {
  getTypeParser(oid, format) {
    const parser = format === "binary" ? undefined : PARSERS.get(oid);
    return parser ?? pg.types.getTypeParser(oid, format as "text");
  },
};
