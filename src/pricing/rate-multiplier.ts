import { showValue } from "../ascii.js";
import { DecimalError, formatScaled, parseDecimalToScaled } from "./money.js";

/** Decimal places of a rate multiplier. */
const SCALE = 9;

/** The factor by which scaled multipliers are multiplied: 1 is 10^9. */
export const RATE_MULTIPLIER_ONE = 1_000_000_000n;

/** The largest rate multiplier. */
export const MAX_RATE_MULTIPLIER = 1_000n;

/** What a provider key's usage costs in relation to the price list. */
export interface RateMultiplier {
  /** Decimal text without needless zeros: "1", "0.85". Records keep it. */
  readonly text: string;
  /** The multiplier times 10^9. */
  readonly scaled: bigint;
}

/** The multiplier of a key that has none: actual cost = list cost. */
export const DEFAULT_RATE_MULTIPLIER: RateMultiplier = Object.freeze({
  text: "1",
  scaled: RATE_MULTIPLIER_ONE,
});

/**
 * Reads a rate multiplier, a decimal from 0 to 1,000 with at most 9 places. Parse once, when
 * the key is loaded: pricing a record takes it as it is.
 *
 * @throws DecimalError on anything else
 */
export function parseRateMultiplier(text: string): RateMultiplier {
  const scaled = parseDecimalToScaled(text, SCALE);
  if (scaled < 0n || scaled > MAX_RATE_MULTIPLIER * RATE_MULTIPLIER_ONE) {
    throw new DecimalError(
      `rate multiplier: must be 0 to ${MAX_RATE_MULTIPLIER}, got ${showValue(text)}`,
    );
  }
  return { text: formatScaled(scaled, SCALE), scaled };
}
