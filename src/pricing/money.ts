/**
 * Exact decimal arithmetic on scaled integers. Money is a `bigint` count of nano-USD
 * (1 USD = 1,000,000,000); nothing here goes through a float.
 */
import { showValue } from "../ascii.js";

/** Decimal places of an amount in nano-USD: 1 USD = 10^9 nano-USD. */
export const NANO_USD_SCALE = 9;

/** The largest amount that a PostgreSQL bigint and a protobuf int64 hold, 2^63 - 1. */
export const MAX_INT64 = 9_223_372_036_854_775_807n;

/** Longest decimal text that is read, in characters; every IEEE double needs at most 25. */
const MAX_DECIMAL_LENGTH = 100;

const DECIMAL = /^([+-])?(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d{1,3}))?$/;

/** A text that is no decimal number, or one with more places than the scale holds. */
export class DecimalError extends Error {
  override readonly name = "DecimalError";
}

/** What to do with digits beyond the scale: refuse them, or round half to even. */
export type DecimalRounding = "exact" | "half-even";

/**
 * Reads decimal text, "3", "0.15" or "1.5e-07", as an integer count of 10^-scale.
 *
 * @param scale decimal places of the result, 0 or more
 * @param rounding "exact" (the default) refuses digits other than zero beyond the scale
 * @throws DecimalError on anything that is no plain decimal, and on excess precision
 */
export function parseDecimalToScaled(
  text: string,
  scale: number,
  rounding: DecimalRounding = "exact",
): bigint {
  const match = text.length <= MAX_DECIMAL_LENGTH ? DECIMAL.exec(text) : null;
  if (match === null) {
    throw new DecimalError(`not a decimal number: ${showValue(text)}`);
  }
  const [, sign, whole = "", fraction = "", exponent = "0"] = match;
  const digits = BigInt(whole + fraction) * (sign === "-" ? -1n : 1n);
  const shift = scale + Number(exponent) - fraction.length;
  if (shift >= 0) return digits * 10n ** BigInt(shift);
  const divisor = 10n ** BigInt(-shift);
  if (rounding === "exact" && digits % divisor !== 0n) {
    throw new DecimalError(`more than ${scale} decimal places: ${showValue(text)}`);
  }
  return divideHalfEven(digits, divisor);
}

/**
 * The integer nearest to numerator / denominator, and of two equally near the even one
 * (IEEE 754 roundTiesToEven), for either sign of the numerator.
 *
 * @throws RangeError unless the denominator is positive
 */
export function divideHalfEven(numerator: bigint, denominator: bigint): bigint {
  if (denominator <= 0n) throw new RangeError("denominator: must be positive");
  const quotient = numerator / denominator;
  const remainder = numerator - quotient * denominator;
  if (remainder === 0n) return quotient;
  const away = numerator < 0n ? -1n : 1n;
  const twice = remainder * away * 2n;
  const roundsAway = twice > denominator || (twice === denominator && (quotient & 1n) === 1n);
  return roundsAway ? quotient + away : quotient;
}

/**
 * Decimal text of a scaled integer: no exponent, no trailing zeros beyond `minDecimals` places.
 * The inverse of `parseDecimalToScaled`.
 */
export function formatScaled(value: bigint, scale: number, minDecimals = 0): string {
  const sign = value < 0n ? "-" : "";
  const digits = (value < 0n ? -value : value).toString().padStart(scale + 1, "0");
  const whole = digits.slice(0, digits.length - scale);
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, "");
  const shown = fraction.padEnd(minDecimals, "0");
  return shown === "" ? `${sign}${whole}` : `${sign}${whole}.${shown}`;
}

/** Dollars for people, exact to the nano-USD: "$1.50", "$1.234567891", "-$0.000001". */
export function formatUsd(nanoUsd: bigint): string {
  const sign = nanoUsd < 0n ? "-" : "";
  return `${sign}$${formatScaled(nanoUsd < 0n ? -nanoUsd : nanoUsd, NANO_USD_SCALE, 2)}`;
}
