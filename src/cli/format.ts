import { formatScaled, NANO_USD_SCALE } from "../pricing/money.js";

/** A whole number with a comma every three digits: "1,234,567". */
export function formatCount(count: number | bigint): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ",");
}

/** Dollars, exact to the nano-USD and always with nine decimals, so that columns line up. */
export function formatDollars(nanoUsd: bigint): string {
  const sign = nanoUsd < 0n ? "-" : "";
  const text = formatScaled(nanoUsd < 0n ? -nanoUsd : nanoUsd, NANO_USD_SCALE, NANO_USD_SCALE);
  const point = text.indexOf(".");
  return `${sign}$${formatCount(BigInt(text.slice(0, point)))}${text.slice(point)}`;
}

/** Milliseconds with two decimals: "1.25 ms". */
export function formatMs(ms: number): string {
  return `${ms.toFixed(2)} ms`;
}

/** Enum names as people read them: "QUOTA_EXCEEDED" becomes "quota exceeded". */
export function formatName(name: string): string {
  return name.toLowerCase().replaceAll("_", " ");
}
