import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence as FieldPresence } from "@bufbuild/protobuf/wkt";

/** What a key of a YAML mapping stands for. */
export interface KeyMeaning {
  readonly field: DescField;
  /** Whether the value is in dollars, where the contract counts nano-USD. */
  readonly isDollars: boolean;
}

/** Fields that the server sets; a file that gives them has misunderstood something. */
const OUTPUT_ONLY = new Set(["create_time", "update_time", "source", "version", "etag"]);

/** Fields in the unit of a measure, which may be money. */
const AMOUNT_FIELDS = new Set(["limit"]);

/**
 * What a key stands for: a field by its name in the contract or in camelCase, or an amount in
 * dollars: `input_usd_per_million` for `input_nano_usd_per_million`, `limit_usd` for a
 * budget's `limit`. Undefined for an unknown key.
 */
export function meaningOf(key: string, message: DescMessage): KeyMeaning | undefined {
  for (const field of settableFields(message)) {
    if (key === field.name || key === field.jsonName) return { field, isDollars: false };
    const name = dollarName(field);
    if (name !== undefined && (key === name || key === toCamelCase(name))) {
      return { field, isDollars: true };
    }
  }
  return undefined;
}

/** The keys that a mapping may have, money in dollars. */
export function knownKeys(message: DescMessage): string[] {
  return settableFields(message).flatMap((field) => {
    const name = dollarName(field);
    if (name === undefined) return [field.name];
    return AMOUNT_FIELDS.has(field.name) ? [field.name, name] : [name];
  });
}

/**
 * Amounts of money that a mapping has to give, by the names of their fields, with the keys to give
 * them by. The contract cannot tell a price of 0 from none, so that one which was forgotten would
 * make its tokens free.
 */
export function requiredAmounts(message: DescMessage): ReadonlyMap<string, string> {
  const required = new Map<string, string>();
  for (const field of settableFields(message)) {
    const name = dollarName(field);
    if (name !== undefined && field.presence === FieldPresence.IMPLICIT) {
      required.set(field.name, name);
    }
  }
  return required;
}

function settableFields({ fields }: DescMessage): DescField[] {
  return fields.filter(({ name }) => !OUTPUT_ONLY.has(name));
}

function dollarName({ name }: DescField): string | undefined {
  if (AMOUNT_FIELDS.has(name)) return `${name}_usd`;
  return name.includes("nano_usd") ? name.replace("nano_usd", "usd") : undefined;
}

function toCamelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
