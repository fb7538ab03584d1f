/** A reproducible source of pseudo-random numbers. Not for secrets. */
export interface Prng {
  /** The next 32 random bits as a whole number from 0 to 2^32 - 1. */
  nextUint32(): number;
  /** From 0 up to but not 1. */
  fraction(): number;
  /** A whole number from `min` to `max`, both included. */
  integer(min: number, max: number): number;
  /** True with this probability, 0 to 1. */
  chance(probability: number): boolean;
  /** One of the items. @throws RangeError when there are none */
  pick<T>(items: readonly T[]): T;
  /** Exponentially distributed, the time between two events of a Poisson process. */
  exponential(mean: number): number;
  /** Log-normally distributed; sigma is the standard deviation of the logarithm. */
  logNormal(median: number, sigma: number): number;
}

/** The largest seed: 2^32 - 1. */
export const MAX_SEED = 0xffff_ffff;

/**
 * Makes a generator whose numbers depend on the seed alone: xoshiro128** (Blackman and Vigna,
 * "Scrambled linear pseudorandom number generators", 2021), its state filled by splitmix32.
 * All on 32-bit integers, several times faster than 64-bit arithmetic on BigInt.
 *
 * @param seed a whole number from 0 to 2^32 - 1
 */
export function createPrng(seed: number): Prng {
  const nextUint32 = xoshiro128(seed);
  const fraction = () => nextUint32() / 2 ** 32;
  return {
    nextUint32,
    fraction,
    integer: (min, max) => min + Math.floor(fraction() * (max - min + 1)),
    chance: (probability) => fraction() < probability,
    pick(items) {
      if (items.length === 0) throw new RangeError("items: must not be empty");
      return items[Math.floor(fraction() * items.length)]!;
    },
    // 1 - fraction is never 0, so the logarithms are finite.
    exponential: (mean) => -mean * Math.log(1 - fraction()),
    logNormal(median, sigma) {
      // Box-Muller; its second value is dropped to keep the generator free of hidden state.
      const radius = Math.sqrt(-2 * Math.log(1 - fraction()));
      return median * Math.exp(sigma * radius * Math.cos(2 * Math.PI * fraction()));
    },
  };
}

/** Spreads whole numbers evenly over 32 bits: neighbours get unrelated values. */
export function scramble(value: number): number {
  return splitmix32(value)();
}

function xoshiro128(seed: number): () => number {
  const fill = splitmix32(seed);
  let s0 = fill();
  let s1 = fill();
  let s2 = fill();
  let s3 = fill();
  return () => {
    const result = Math.imul(rotateLeft(Math.imul(s1, 5), 7), 9) >>> 0;
    const t = s1 << 9;
    s2 ^= s0;
    s3 ^= s1;
    s1 ^= s2;
    s0 ^= s3;
    s2 ^= t;
    s3 = rotateLeft(s3, 11);
    return result;
  };
}

function rotateLeft(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits));
}

function splitmix32(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}
