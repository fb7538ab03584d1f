/** A value of a column, as `toRecordJson` makes it. */
type ColumnValue = unknown;

const NEEDS_ESCAPE = /[\\\n\r\t]/;
const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/**
 * One row in COPY's text format. Arrays of texts are written as PostgreSQL's arrays, every other
 * object as JSON; undefined and null are null.
 */
export function toCopyLine(values: readonly ColumnValue[]): string {
  return `${values.map(toCopyValue).join("\t")}\n`;
}

function toCopyValue(value: ColumnValue): string {
  if (value === undefined || value === null) return "\\N";
  if (typeof value === "string") return escaped(value);
  if (typeof value !== "object") return String(value);
  return escaped(isTextArray(value) ? toTextArray(value) : JSON.stringify(value));
}

function escaped(text: string): string {
  if (!NEEDS_ESCAPE.test(text)) return text;
  return text.replace(/[\\\n\r\t]/g, (character) => ESCAPES[character]!);
}

function isTextArray(value: object): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === "string");
}

function toTextArray(items: readonly string[]): string {
  return `{${items.map((item) => `"${item.replace(/["\\]/g, "\\$&")}"`).join(",")}}`;
}
