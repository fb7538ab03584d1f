import type { PriceVersion } from "./price.js";

/** The price list entries of one model at one provider, laid out without overlap. */
export interface PriceTimeline {
  /** Where each stretch starts, milliseconds since 1970, ascending; the first may be -Infinity. */
  readonly startsMs: readonly number[];
  /** The entry in force in each stretch; undefined in a gap. */
  readonly versions: readonly (PriceVersion | undefined)[];
}

/**
 * Lays out entries that may overlap: at any time that entry is in force which started last,
 * of equal starts the one with the higher version, then the greater id. So a limited offer
 * gives way to the ordinary price when it ends.
 */
export function buildTimeline(versions: readonly PriceVersion[]): PriceTimeline {
  const byPrecedence = [...versions].sort(comparePrecedence);
  const borders = new Set<number>();
  for (const version of versions) {
    borders.add(startOf(version));
    borders.add(endOf(version));
  }
  const startsMs: number[] = [];
  const inForce: (PriceVersion | undefined)[] = [];
  for (const atMs of [...borders].sort((a, b) => a - b)) {
    startsMs.push(atMs);
    inForce.push(byPrecedence.find((v) => startOf(v) <= atMs && atMs < endOf(v)));
  }
  return { startsMs, versions: inForce };
}

/** The entry in force at a time, by binary search. */
export function versionAt(timeline: PriceTimeline, atMs: number): PriceVersion | undefined {
  const { startsMs, versions } = timeline;
  let low = 0;
  let high = startsMs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((startsMs[middle] ?? Number.POSITIVE_INFINITY) <= atMs) low = middle + 1;
    else high = middle;
  }
  return versions[low - 1];
}

function comparePrecedence(a: PriceVersion, b: PriceVersion): number {
  if (startOf(a) !== startOf(b)) return startOf(a) > startOf(b) ? -1 : 1;
  if (a.version !== b.version) return a.version > b.version ? -1 : 1;
  return a.priceId > b.priceId ? -1 : 1;
}

function startOf(version: PriceVersion): number {
  return version.effectiveFromMs ?? Number.NEGATIVE_INFINITY;
}

function endOf(version: PriceVersion): number {
  return version.effectiveToMs ?? Number.POSITIVE_INFINITY;
}
