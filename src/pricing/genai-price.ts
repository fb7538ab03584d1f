import type { ModelPrice } from "@pydantic/genai-prices";
import { NANO_USD_SCALE, parseDecimalToScaled } from "./money.js";
import type { Price, PriceTier } from "./price.js";
import { priceViolations } from "./price-validation.js";

/** A price of the collection: one number, or a base and steps above it. */
type GenaiAmount = NonNullable<ModelPrice[string]>;

/** A price with more digits than nano-USD per million tokens hold, and what it became. */
export interface RoundedAmount {
  /** Name of the price in the collection: "cache_write_mtok". */
  readonly unit: string;
  /** Its shortest decimal text, dollars. */
  readonly text: string;
  /** The nearest whole number of nano-USD, of two the even one. */
  readonly nanoUsd: bigint;
}

/** Why prices, or some of their units, do not become a price. */
export interface UnconvertedPrice {
  readonly reason: "NO_PRICES" | "NO_TOKEN_PRICE" | "UNSUPPORTED_UNIT" | "INVALID";
  /** The unit, the units or the broken rule. */
  readonly detail: string;
}

/** What became of a model's prices. */
export interface ConvertedPrice {
  /** Unset when they hold no price for input tokens. */
  readonly price: Price | undefined;
  readonly rounded: readonly RoundedAmount[];
  readonly unconverted: readonly UnconvertedPrice[];
}

/** Dollars per million tokens. */
const TOKEN_UNITS = [
  "input_mtok",
  "output_mtok",
  "cache_write_mtok",
  "cache_write_1h_mtok",
  "cache_read_mtok",
];

/** Dollars per thousand requests. */
const REQUEST_UNIT = "requests_kcount";

/** Decimal places of a price per thousand requests, so that a unit is a nano-USD per request. */
const PER_THOUSAND_SCALE = NANO_USD_SCALE - 3;

/** Times to live of the two cache write prices, minutes. */
const WRITE_TTL_MINUTES = { short: 5, long: 60 };

/**
 * Converts prices of the collection: dollars, floats there, are read from their shortest
 * decimal text as whole nano-USD per million tokens; the few with more digits (a twelfth of
 * a dollar) are rounded half-even and told. Units other than tokens and requests are left out
 * and told. Output without a price costs nothing, as in the collection; an unset cache price
 * stays unset and so follows the price book's own rule.
 */
export function convertGenaiPrice(prices: ModelPrice): ConvertedPrice {
  const amounts = new Map<string, GenaiAmount>();
  for (const [unit, amount] of Object.entries(prices)) {
    if (amount !== undefined) amounts.set(unit, amount);
  }
  const units = [...amounts.keys()].sort();
  if (units.length === 0) return refuse("NO_PRICES", "no unit has a price");
  if (!amounts.has("input_mtok")) return refuse("NO_TOKEN_PRICE", units.join(", "));
  const rounded: RoundedAmount[] = [];
  const price = buildPrice(amounts, rounded);
  const [broken] = priceViolations(price);
  if (broken !== undefined) {
    return refuse("INVALID", `${broken.field}: ${broken.description}`);
  }
  const unconverted = units.filter((unit) => !isConverted(unit, amounts)).map(unsupported);
  return { price, rounded, unconverted };
}

function buildPrice(amounts: ReadonlyMap<string, GenaiAmount>, rounded: RoundedAmount[]): Price {
  const request = amounts.get(REQUEST_UNIT);
  return {
    tiers: buildTiers(amounts, rounded),
    ...(typeof request === "number" && {
      requestNanoUsd: readDollars(REQUEST_UNIT, request, PER_THOUSAND_SCALE, rounded),
    }),
  };
}

/**
 * The collection prices the whole request at the highest step whose start is *below* its
 * input, so a start is the inclusive border of the tier under it.
 */
function buildTiers(
  amounts: ReadonlyMap<string, GenaiAmount>,
  rounded: RoundedAmount[],
): PriceTier[] {
  const starts = new Set<number>();
  for (const unit of TOKEN_UNITS) {
    const amount = amounts.get(unit);
    if (typeof amount === "object") for (const { start } of amount.tiers) starts.add(start);
  }
  const borders = [...starts].sort((a, b) => a - b);
  return [...borders, undefined].map((border, index) => {
    const above = borders[index - 1];
    const read = (unit: string): bigint | undefined => {
      const amount = amounts.get(unit);
      if (amount === undefined) return undefined;
      return readDollars(unit, stepAbove(amount, above), NANO_USD_SCALE, rounded);
    };
    return buildTier(border, read);
  });
}

function buildTier(
  border: number | undefined,
  read: (unit: string) => bigint | undefined,
): PriceTier {
  const write = read("cache_write_mtok");
  const longWrite = read("cache_write_1h_mtok");
  const cacheRead = read("cache_read_mtok");
  const { short, long } = WRITE_TTL_MINUTES;
  const entries = [
    { ttlMinutes: short, amount: write },
    { ttlMinutes: long, amount: longWrite },
  ];
  return {
    ...(border !== undefined && { upToTokens: border }),
    inputNanoUsdPerMillion: read("input_mtok") ?? 0n,
    outputNanoUsdPerMillion: read("output_mtok") ?? 0n,
    ...(write !== undefined && { cacheCreationNanoUsdPerMillion: write }),
    ...(cacheRead !== undefined && { cacheReadNanoUsdPerMillion: cacheRead }),
    cacheTtlPricing:
      longWrite === undefined
        ? []
        : entries.flatMap(({ ttlMinutes, amount }) =>
            amount === undefined ? [] : [{ ttlMinutes, cacheCreationNanoUsdPerMillion: amount }],
          ),
  };
}

/** The amount for input above a border; without one the base. */
function stepAbove(amount: GenaiAmount, border: number | undefined): number {
  if (typeof amount === "number") return amount;
  let highest: { readonly start: number; readonly price: number } | undefined;
  for (const tier of amount.tiers) {
    const isReached = border !== undefined && tier.start <= border;
    if (isReached && (highest === undefined || tier.start > highest.start)) highest = tier;
  }
  return highest?.price ?? amount.base;
}

function readDollars(
  unit: string,
  dollars: number,
  scale: number,
  rounded: RoundedAmount[],
): bigint {
  const text = String(dollars);
  const nanoUsd = parseDecimalToScaled(text, scale, "half-even");
  // Doubles have at most 17 significant digits, so 40 more places hold every one of them.
  const exact = parseDecimalToScaled(text, scale + 40, "half-even");
  if (exact !== nanoUsd * 10n ** 40n) rounded.push({ unit, text, nanoUsd });
  return nanoUsd;
}

function isConverted(unit: string, amounts: ReadonlyMap<string, GenaiAmount>): boolean {
  if (unit === REQUEST_UNIT) return typeof amounts.get(unit) === "number";
  return TOKEN_UNITS.includes(unit);
}

function unsupported(unit: string): UnconvertedPrice {
  return { reason: "UNSUPPORTED_UNIT", detail: unit };
}

function refuse(reason: UnconvertedPrice["reason"], detail: string): ConvertedPrice {
  return { price: undefined, rounded: [], unconverted: [{ reason, detail }] };
}
