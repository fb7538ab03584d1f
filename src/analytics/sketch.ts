/**
 * Latencies of many records in a few hundred counters: DDSketch (Masson, Rim, Lee: "DDSketch: A fast
 * and fully-mergeable quantile sketch with relative-error guarantees", VLDB 2019), relative accuracy
 * 2 %. Bucket 0 counts 0 ms; bucket n + 1 those above gamma^(n - 1) and up to gamma^n ms.
 */
export type Sketch = ReadonlyMap<number, number>;

const ACCURACY = 0.02;
const GAMMA = (1 + ACCURACY) / (1 - ACCURACY);

/** As the database's `latency_sketch` writes them: a decimal number, ten digits for each bucket. */
const DIGITS = 10;
/** The bucket that stands right before the decimal point, with the least typical latency. */
const ORIGIN = 190;

/** Reads a sum of sketches. Null: there was nothing to count. */
export function readSketch(text: string | null): Sketch {
  const sketch = new Map<number, number>();
  const [whole = "", fraction = ""] = (text ?? "").split(".");
  for (let end = whole.length, bucket = ORIGIN; end > 0; end -= DIGITS, bucket += 1) {
    count(sketch, bucket, whole.slice(Math.max(0, end - DIGITS), end));
  }
  for (let start = 0, bucket = ORIGIN - 1; start < fraction.length; start += DIGITS, bucket -= 1) {
    count(sketch, bucket, fraction.slice(start, start + DIGITS).padEnd(DIGITS, "0"));
  }
  return sketch;
}

function count(sketch: Map<number, number>, bucket: number, digits: string): void {
  const value = Number(digits);
  if (value > 0) sketch.set(bucket, value);
}

/** Counts what all of them count. */
export function mergeSketches(sketches: readonly Sketch[]): Sketch {
  const merged = new Map<number, number>();
  for (const sketch of sketches) {
    for (const [bucket, value] of sketch) merged.set(bucket, (merged.get(bucket) ?? 0) + value);
  }
  return merged;
}

/** How many latencies were counted. */
export function sketchCount(sketch: Sketch): number {
  let sum = 0;
  for (const value of sketch.values()) sum += value;
  return sum;
}

/**
 * Percentiles: of each, the least latency that so many percent do not exceed, in milliseconds, at
 * most 2 % too high or too low.
 *
 * @param percents - whole numbers, ascending, 1 to 100
 */
export function percentilesOf(sketch: Sketch, percents: readonly number[]): number[] {
  const total = sketchCount(sketch);
  const buckets = [...sketch].sort(([a], [b]) => a - b);
  let index = -1;
  let seen = 0;
  return percents.map((percent) => {
    const rank = Math.max(1, Math.ceil((total * percent) / 100));
    while (seen < rank && index + 1 < buckets.length) {
      index += 1;
      seen += buckets[index]?.[1] ?? 0;
    }
    return latencyOf(buckets[index]?.[0] ?? 0);
  });
}

/** What stands for all latencies of a bucket, none of which differs from it by more than 2 %. */
function latencyOf(bucket: number): number {
  if (bucket === 0) return 0;
  return (2 * GAMMA ** (bucket - 1)) / (GAMMA + 1);
}
