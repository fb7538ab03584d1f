import type { Caller } from "../generator.js";
import { createPrng, type Prng } from "../prng.js";

const TEAMS = 10;
/** How many of the first users by weight share most of the work: Zipf's law, flattened. */
const FLATNESS = 8;
const SECOND_KEY_CHANCE = 0.3;

/** Everybody who sends in a history: the same number of users and the same seed make the same. */
export function historyCallers(users: number, seed: number): Caller[] {
  const prng = createPrng(seed);
  const ranks = shuffled(users, prng);
  const width = Math.max(4, String(users).length);
  return ranks.map((rank, index) => {
    const number = String(index + 1).padStart(width, "0");
    const hasSecondKey = prng.chance(SECOND_KEY_CHANCE);
    return {
      userId: `user-${number}`,
      apiKeyIds: hasSecondKey ? [`key-${number}-a`, `key-${number}-b`] : [`key-${number}-a`],
      team: `team-${String(prng.integer(1, TEAMS)).padStart(2, "0")}`,
      weight: 1 / (rank + FLATNESS),
      abandons: false,
    };
  });
}

/** The numbers from 0 in random order (Fisher and Yates). */
function shuffled(count: number, prng: Prng): number[] {
  const numbers = Array.from({ length: count }, (_, index) => index);
  for (let index = count - 1; index > 0; index -= 1) {
    const other = prng.integer(0, index);
    [numbers[index], numbers[other]] = [numbers[other]!, numbers[index]!];
  }
  return numbers;
}

/** Draws callers by their weights, in the time that it takes to find one of them by bisection. */
export function callerPicker(prng: Prng, callers: readonly Caller[]): () => Caller {
  let total = 0;
  const ends = callers.map(({ weight }) => (total += weight));
  return () => {
    const draw = prng.fraction() * total;
    let [low, high] = [0, callers.length - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle]! > draw) high = middle;
      else low = middle + 1;
    }
    return callers[low]!;
  };
}
