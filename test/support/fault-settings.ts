import { randomInt } from "node:crypto";
import { MAX_SEED } from "../../src/traffic/prng.js";

/**
 * Settings of the tests that break things: `FAULT_SEED` repeats a run, as far as processes that
 * run side by side can be repeated; `FAULT_ROUNDS` makes it longer or shorter.
 */

/** The seed of this run, 0 to 2^32 - 1: the one given, or else a new one. */
export const faultSeed: number = readNumber("FAULT_SEED", MAX_SEED) ?? randomInt(MAX_SEED);

/** How many rounds to run, unless told otherwise. */
export function faultRounds(byDefault: number): number {
  return readNumber("FAULT_ROUNDS", 1_000_000) ?? byDefault;
}

function readNumber(name: string, max: number): number | undefined {
  const text = process.env[name] ?? "";
  if (text === "") return undefined;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0 && value <= max) return value;
  throw new Error(`${name}: must be a whole number from 0 to ${max} (was "${text}")`);
}

/** Says how a long test is getting on, on a line of its own. */
export function showProgress(text: string): void {
  process.stdout.write(`    ${text}\n`);
}
