import type { PricesByVersion } from "./cache-costs.js";

/** Every content that a price ever had. */
export interface PriceVersionSource {
  /** Unknown numbers are left out. */
  findAll(versions: Iterable<bigint>): Promise<PricesByVersion>;
}

/** The prices that rows name. */
export function findPrices(
  source: PriceVersionSource,
  rows: readonly { readonly priceVersion: bigint | null }[],
): Promise<PricesByVersion> {
  const versions = new Set<bigint>();
  for (const { priceVersion } of rows) if (priceVersion !== null) versions.add(priceVersion);
  return source.findAll(versions);
}
