import { expect } from "chai";
import fc from "fast-check";
import { createPrng, MAX_SEED, scramble } from "../../src/traffic/prng.js";

const seeds = fc.integer({ min: 0, max: MAX_SEED });

function take(seed: number, count: number): number[] {
  const prng = createPrng(seed);
  return Array.from({ length: count }, () => prng.nextUint32());
}

/** The reference algorithms on 64-bit integers, cut to 32 bits after every step. */
function oracle(seed: number, count: number): number[] {
  const mask = 0xffff_ffffn;
  let state = BigInt(seed);
  const fill = () => {
    state = (state + 0x9e3779b9n) & mask;
    let z = ((state ^ (state >> 16n)) * 0x21f0aaadn) & mask;
    z = ((z ^ (z >> 15n)) * 0x735a2d97n) & mask;
    return z ^ (z >> 15n);
  };
  const rotl = (x: bigint, k: bigint) => ((x << k) | (x >> (32n - k))) & mask;
  const s: [bigint, bigint, bigint, bigint] = [fill(), fill(), fill(), fill()];
  return Array.from({ length: count }, () => {
    const result = (rotl((s[1] * 5n) & mask, 7n) * 9n) & mask;
    const t = (s[1] << 9n) & mask;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 11n);
    return Number(result);
  });
}

describe("createPrng", () => {
  it("is xoshiro128** seeded by splitmix32, for any seed", () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        expect(take(seed, 20)).to.deep.equal(oracle(seed, 20));
      }),
    );
  });

  it("repeats itself for the same seed, and for no other", () => {
    expect(take(42, 100)).to.deep.equal(take(42, 100));
    expect(take(42, 100)).not.to.deep.equal(take(43, 100));
  });

  it("draws whole numbers from all of a range and nothing else", () => {
    const prng = createPrng(7);
    const drawn = new Set(Array.from({ length: 1_000 }, () => prng.integer(3, 7)));
    expect([...drawn].sort()).to.deep.equal([3, 4, 5, 6, 7]);
  });

  it("hits a probability, a mean and a median", () => {
    const prng = createPrng(1);
    const numbers = (draw: () => number) => Array.from({ length: 20_000 }, draw);
    const mean = (values: number[]) => values.reduce((sum, value) => sum + value) / values.length;
    expect(mean(numbers(() => (prng.chance(0.3) ? 1 : 0)))).to.be.closeTo(0.3, 0.02);
    expect(mean(numbers(() => prng.exponential(50)))).to.be.closeTo(50, 2);
    const sorted = numbers(() => prng.logNormal(400, 1.1)).sort((a, b) => a - b);
    expect(sorted[10_000]).to.be.closeTo(400, 20);
  });

  it("picks each of the items, and refuses to pick from none", () => {
    const prng = createPrng(1);
    const picked = new Set(Array.from({ length: 100 }, () => prng.pick(["a", "b", "c"])));
    expect([...picked].sort()).to.deep.equal(["a", "b", "c"]);
    expect(() => prng.pick([])).to.throw(RangeError, "items: must not be empty");
  });
});

describe("scramble", () => {
  it("spreads neighbours evenly", () => {
    const counts = new Array<number>(8).fill(0);
    for (let value = 0; value < 8_000; value += 1) counts[scramble(value) % 8]! += 1;
    for (const count of counts) expect(count).to.be.within(850, 1_150);
  });
});
