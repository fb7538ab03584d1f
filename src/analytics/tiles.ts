import type { Width } from "./grains.js";
import type { TimeRange } from "./question.js";

/** A part of a range that buckets of one width cover exactly. */
export interface Tile extends TimeRange {
  readonly width: Width;
}

const QUARTER_US = 900_000_000;
const UNIT_US = { QUARTER: QUARTER_US, HOUR: 4 * QUARTER_US, DAY: 96 * QUARTER_US };

/**
 * Covers a range exactly, with the longest buckets that fit. What is left of a quarter-hour at either
 * end is RAW; both ends are one tile where no whole quarter-hour lies between them.
 *
 * @param widths - those that there are, the longest first, QUARTER among them
 * @returns tiles in no order, at most two of each width and one MONTH
 */
export function tileRange(range: TimeRange, widths: readonly Width[]): Tile[] {
  return [...fill(range, [...widths, "RAW"])];
}

function* fill(range: TimeRange, [width, ...narrower]: readonly Width[]): Generator<Tile> {
  if (width === undefined || range.startUs >= range.endUs) return;
  if (width === "RAW") {
    yield { ...range, width };
    return;
  }
  const startUs = ceil(range.startUs, width);
  const endUs = floor(range.endUs, width);
  if (startUs >= endUs) {
    yield* fill(range, narrower);
    return;
  }
  yield { startUs, endUs, width };
  yield* fill({ startUs: range.startUs, endUs: startUs }, narrower);
  yield* fill({ startUs: endUs, endUs: range.endUs }, narrower);
}

function floor(timeUs: number, width: Exclude<Width, "RAW">): number {
  if (width === "MONTH") return monthStartUs(timeUs, 0);
  return Math.floor(timeUs / UNIT_US[width]) * UNIT_US[width];
}

function ceil(timeUs: number, width: Exclude<Width, "RAW">): number {
  const floorUs = floor(timeUs, width);
  if (floorUs === timeUs) return timeUs;
  return width === "MONTH" ? monthStartUs(timeUs, 1) : floorUs + UNIT_US[width];
}

function monthStartUs(timeUs: number, monthsLater: number): number {
  const date = new Date(Math.floor(timeUs / 1_000));
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + monthsLater) * 1_000;
}

/** The quarter-hour that begins no later, microseconds since 1970. */
export function floorToQuarter(timeUs: number): number {
  return floor(timeUs, "QUARTER");
}

/** The quarter-hour that begins no sooner. */
export function ceilToQuarter(timeUs: number): number {
  return ceil(timeUs, "QUARTER");
}
