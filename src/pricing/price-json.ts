import { showValue } from "../ascii.js";
import type { CacheTtlPrice, Price, PriceTier } from "./price.js";
import { priceViolations } from "./price-validation.js";

/** JSON that is no valid price; the message names every field and what is wrong with it. */
export class PriceFormatError extends Error {
  override readonly name = "PriceFormatError";
}

type JsonObject = Readonly<Record<string, unknown>>;

/** Texts by price; the price book shares its prices between records, so each is written once. */
const texts = new WeakMap<Price, string>();

/**
 * A price as JSON text, as a usage record keeps it: the contract's field names, amounts as
 * decimal strings (JSON numbers lose digits beyond 2^53), what is unset left out.
 */
export function formatPriceJson(price: Price): string {
  const known = texts.get(price);
  if (known !== undefined) return known;
  const text = JSON.stringify({
    tiers: price.tiers.map(tierToJson),
    request_nano_usd: price.requestNanoUsd?.toString(),
  });
  texts.set(price, text);
  return text;
}

/**
 * Reads what `formatPriceJson` wrote, after JSON.parse.
 *
 * @throws PriceFormatError on a missing, unknown or ill-typed field, and naming every broken rule
 */
export function parsePriceJson(json: unknown): Price {
  const object = asObject(json, "price");
  refuseUnknown(object, "price", ["tiers", "request_nano_usd"]);
  const price: Price = {
    tiers: asArray(object.tiers, "tiers").map((tier, index) => tierFromJson(tier, index)),
    ...optional("requestNanoUsd", asAmount(object.request_nano_usd, "request_nano_usd")),
  };
  const violations = priceViolations(price);
  if (violations.length > 0) {
    throw new PriceFormatError(violations.map((v) => `${v.field}: ${v.description}`).join("; "));
  }
  return price;
}

function tierToJson(tier: PriceTier): JsonObject {
  return {
    up_to_tokens: tier.upToTokens,
    input_nano_usd_per_million: tier.inputNanoUsdPerMillion.toString(),
    output_nano_usd_per_million: tier.outputNanoUsdPerMillion.toString(),
    ...cachePricesToJson(tier),
    cache_ttl_pricing:
      tier.cacheTtlPricing.length === 0 ? undefined : tier.cacheTtlPricing.map(ttlPriceToJson),
  };
}

function ttlPriceToJson(entry: CacheTtlPrice): JsonObject {
  return { ttl_minutes: entry.ttlMinutes, ...cachePricesToJson(entry) };
}

function cachePricesToJson(prices: PriceTier | CacheTtlPrice): JsonObject {
  return {
    cache_creation_nano_usd_per_million: prices.cacheCreationNanoUsdPerMillion?.toString(),
    cache_read_nano_usd_per_million: prices.cacheReadNanoUsdPerMillion?.toString(),
  };
}

const CACHE_PRICE_FIELDS = [
  "cache_creation_nano_usd_per_million",
  "cache_read_nano_usd_per_million",
];

const TIER_FIELDS = [
  "up_to_tokens",
  "input_nano_usd_per_million",
  "output_nano_usd_per_million",
  ...CACHE_PRICE_FIELDS,
  "cache_ttl_pricing",
];

function tierFromJson(json: unknown, index: number): PriceTier {
  const path = `tiers[${index}]`;
  const object = asObject(json, path);
  refuseUnknown(object, path, TIER_FIELDS);
  const entries = object.cache_ttl_pricing ?? [];
  return {
    ...optional("upToTokens", asInteger(object.up_to_tokens, `${path}.up_to_tokens`)),
    inputNanoUsdPerMillion: requiredAmount(object, path, "input_nano_usd_per_million"),
    outputNanoUsdPerMillion: requiredAmount(object, path, "output_nano_usd_per_million"),
    ...cachePricesFromJson(object, path),
    cacheTtlPricing: asArray(entries, `${path}.cache_ttl_pricing`).map((entry, at) =>
      ttlPriceFromJson(entry, `${path}.cache_ttl_pricing[${at}]`),
    ),
  };
}

function ttlPriceFromJson(json: unknown, path: string): CacheTtlPrice {
  const object = asObject(json, path);
  refuseUnknown(object, path, ["ttl_minutes", ...CACHE_PRICE_FIELDS]);
  const ttlMinutes = asInteger(object.ttl_minutes, `${path}.ttl_minutes`);
  if (ttlMinutes === undefined) throw new PriceFormatError(`${path}.ttl_minutes: is required`);
  return { ttlMinutes, ...cachePricesFromJson(object, path) };
}

function cachePricesFromJson(object: JsonObject, path: string) {
  const creation = "cache_creation_nano_usd_per_million";
  const read = "cache_read_nano_usd_per_million";
  return {
    ...optional(
      "cacheCreationNanoUsdPerMillion",
      asAmount(object[creation], `${path}.${creation}`),
    ),
    ...optional("cacheReadNanoUsdPerMillion", asAmount(object[read], `${path}.${read}`)),
  };
}

/** `{ [key]: value }`, or nothing when the value is unset, as exact optional properties want it. */
function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

function requiredAmount(object: JsonObject, path: string, field: string): bigint {
  const amount = asAmount(object[field], `${path}.${field}`);
  if (amount === undefined) throw new PriceFormatError(`${path}.${field}: is required`);
  return amount;
}

function asAmount(value: unknown, path: string): bigint | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "string" || !/^-?\d{1,20}$/.test(value)) {
    throw new PriceFormatError(`${path}: must be a whole number as a string`);
  }
  return BigInt(value);
}

function asInteger(value: unknown, path: string): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== "number") throw new PriceFormatError(`${path}: must be a number`);
  return value;
}

function asArray(value: unknown, path: string): readonly unknown[] {
  if (!Array.isArray(value)) throw new PriceFormatError(`${path}: must be a list`);
  return value;
}

function asObject(value: unknown, path: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new PriceFormatError(`${path}: must be an object`);
  }
  return value as JsonObject;
}

function refuseUnknown(object: JsonObject, path: string, fields: readonly string[]): void {
  for (const key of Object.keys(object)) {
    if (!fields.includes(key)) {
      throw new PriceFormatError(`${path}: unknown field ${showValue(key)}`);
    }
  }
}
