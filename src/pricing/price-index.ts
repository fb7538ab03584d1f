import type { PriceVersion } from "./price.js";
import { buildTimeline, type PriceTimeline, versionAt } from "./price-timeline.js";

/** Where the timeline of a model's global price is kept; no provider has an empty name. */
const GLOBAL = "";

/** The timelines of one model by provider. */
type ModelTimelines = ReadonlyMap<string, PriceTimeline>;

/** Price list entries by model, then by provider, then by time. */
export type PriceIndex = ReadonlyMap<string, ModelTimelines>;

/** A price and whose it is; provider unset: the global price. */
export interface EffectivePrice {
  readonly provider: string | undefined;
  readonly version: PriceVersion;
}

/** Indexes entries; the order in which they come does not matter. */
export function buildPriceIndex(versions: Iterable<PriceVersion>): PriceIndex {
  const groups = new Map<string, Map<string, PriceVersion[]>>();
  for (const version of versions) {
    const byProvider = getOrAdd(groups, version.model, () => new Map<string, PriceVersion[]>());
    getOrAdd(byProvider, version.provider ?? GLOBAL, () => []).push(version);
  }
  const index = new Map<string, ModelTimelines>();
  for (const [model, byProvider] of groups) {
    const timelines = new Map<string, PriceTimeline>();
    for (const [provider, group] of byProvider) timelines.set(provider, buildTimeline(group));
    index.set(model, timelines);
  }
  return index;
}

/** The provider's own price for the model at a time, else the global one, else none. */
export function findPrice(
  index: PriceIndex,
  model: string,
  provider: string,
  atMs: number,
): PriceVersion | undefined {
  const timelines = index.get(model);
  const own = timelines?.get(provider);
  const version = own === undefined ? undefined : versionAt(own, atMs);
  if (version !== undefined || provider === GLOBAL) return version;
  const global = timelines?.get(GLOBAL);
  return global === undefined ? undefined : versionAt(global, atMs);
}

/** Every price that the model has at a time, sorted by provider, the global one first. */
export function findAllPrices(index: PriceIndex, model: string, atMs: number): EffectivePrice[] {
  const found: EffectivePrice[] = [];
  const timelines = [...(index.get(model) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [provider, timeline] of timelines) {
    const version = versionAt(timeline, atMs);
    if (version !== undefined) {
      found.push({ provider: provider === GLOBAL ? undefined : provider, version });
    }
  }
  return found;
}

function getOrAdd<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  const made = make();
  map.set(key, made);
  return made;
}
