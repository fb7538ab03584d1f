import type { ModelInfo, Provider } from "@pydantic/genai-prices";
import { makerOf } from "./genai-match.js";
import { modelsByName } from "./genai-names.js";
import { layOutPeriods, type SkippedPeriod } from "./genai-periods.js";
import { convertGenaiPrice, type RoundedAmount, type UnconvertedPrice } from "./genai-price.js";
import { SNAPSHOT_NAMES } from "./genai-snapshots.js";
import type { Price } from "./price.js";

/** One price list entry that comes from the collection. */
export interface ImportedPrice {
  /** The provider whose price it is, by its id in the collection. Unset: a global price. */
  readonly provider?: string;
  /** The model's name, as usage records use it. */
  readonly model: string;
  /** From when on, milliseconds since 1970. Unset: from the beginning of time. */
  readonly effectiveFromMs?: number;
  readonly price: Price;
  /** Where in the collection it comes from. */
  readonly source: GenaiSource;
}

/** A model of the collection. */
export interface GenaiSource {
  readonly providerId: string;
  readonly modelId: string;
}

/** Something that the collection prices and the price list cannot, or not yet, hold. */
export interface SkippedImport extends GenaiSource {
  readonly reason: SkippedPeriod["reason"] | UnconvertedPrice["reason"];
  /** The unit, the condition or the broken rule. */
  readonly detail: string;
}

/** An amount that had to be rounded. */
export interface RoundedImport extends GenaiSource, RoundedAmount {}

/** What an import of prices would write. */
export interface PriceImport {
  /** Sorted by provider (global first), model and time; no two of them equal in all three. */
  readonly prices: readonly ImportedPrice[];
  /** In the collection's order. */
  readonly skipped: readonly SkippedImport[];
  /** In the collection's order. */
  readonly rounded: readonly RoundedImport[];
}

/** Options of an import. */
export interface PriceImportOptions {
  /** Only these providers, by id. Default: all. */
  readonly providerIds?: readonly string[];
  /**
   * Further names to import where a pattern of the collection takes them, the catalog's models
   * for instance. Default: well-known dated snapshots.
   */
  readonly wantedNames?: readonly string[];
}

/**
 * Converts the collection into price list entries: a provider's prices as that provider's, and
 * those of a model's maker as global ones too. Pure and deterministic; where a later period of
 * a model has no token price, the period before stays in force and the skip is told.
 */
export function importGenaiPrices(
  providers: readonly Provider[],
  options: PriceImportOptions = {},
): PriceImport {
  const { providerIds, wantedNames = SNAPSHOT_NAMES } = options;
  const prices: ImportedPrice[] = [];
  const skipped: SkippedImport[] = [];
  const rounded: RoundedImport[] = [];
  for (const provider of providers) {
    if (providerIds !== undefined && !providerIds.includes(provider.id)) continue;
    const entries = new Map<ModelInfo, DatedPrice[]>();
    for (const model of provider.models) {
      const converted = convertModel(provider, model);
      entries.set(model, converted.entries);
      skipped.push(...converted.skipped);
      rounded.push(...converted.rounded);
    }
    for (const [name, model] of modelsByName(provider, wantedNames)) {
      const source = { providerId: provider.id, modelId: model.id };
      const isMaker = makerOf(providers, name) === provider;
      for (const entry of entries.get(model) ?? []) {
        prices.push({ provider: provider.id, model: name, ...entry, source });
        if (isMaker) prices.push({ model: name, ...entry, source });
      }
    }
  }
  return { prices: prices.sort(compareEntries), skipped, rounded };
}

type DatedPrice = Pick<ImportedPrice, "effectiveFromMs" | "price">;

function convertModel(provider: Provider, model: ModelInfo) {
  const source: GenaiSource = { providerId: provider.id, modelId: model.id };
  const entries: DatedPrice[] = [];
  const { periods, skipped: skippedPeriods } = layOutPeriods(model);
  const skipped: SkippedImport[] = skippedPeriods.map((skip) => ({ ...source, ...skip }));
  const rounded: RoundedImport[] = [];
  for (const { effectiveFromMs, prices } of periods) {
    const converted = convertGenaiPrice(prices);
    skipped.push(...converted.unconverted.map((skip) => ({ ...source, ...skip })));
    rounded.push(...converted.rounded.map((amount) => ({ ...source, ...amount })));
    const { price } = converted;
    if (price === undefined) continue;
    entries.push(effectiveFromMs === undefined ? { price } : { effectiveFromMs, price });
  }
  return { entries, skipped, rounded };
}

function compareEntries(a: ImportedPrice, b: ImportedPrice): number {
  return (
    compareText(a.provider ?? "", b.provider ?? "") ||
    compareText(a.model, b.model) ||
    (a.effectiveFromMs ?? Number.MIN_SAFE_INTEGER) - (b.effectiveFromMs ?? Number.MIN_SAFE_INTEGER)
  );
}

/** By code unit, so that the order is the same under every locale. */
function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
