import type {
  CacheTtlPrice as ProtoCacheTtlPrice,
  Price as ProtoPrice,
  PriceTier as ProtoPriceTier,
} from "../../gen/tally/v1/usage_pb.js";
import type { CacheTtlPrice, Price, PriceTier } from "../pricing/price.js";

/** Reads a price; whether it is a valid one `priceViolations` tells. */
export function fromProtoPrice(price: ProtoPrice | undefined): Price {
  const requestNanoUsd = price?.requestNanoUsd;
  return {
    tiers: (price?.tiers ?? []).map(fromProtoTier),
    ...(requestNanoUsd !== undefined && { requestNanoUsd }),
  };
}

function fromProtoTier(tier: ProtoPriceTier): PriceTier {
  return {
    // The contract ends it at 2^42.
    ...(tier.upToTokens !== undefined && { upToTokens: Number(tier.upToTokens) }),
    inputNanoUsdPerMillion: tier.inputNanoUsdPerMillion,
    outputNanoUsdPerMillion: tier.outputNanoUsdPerMillion,
    ...fromProtoCachePrices(tier),
    cacheTtlPricing: tier.cacheTtlPricing.map(fromProtoCacheTtlPrice),
  };
}

function fromProtoCacheTtlPrice(entry: ProtoCacheTtlPrice): CacheTtlPrice {
  return { ttlMinutes: entry.ttlMinutes, ...fromProtoCachePrices(entry) };
}

function fromProtoCachePrices(prices: ProtoPriceTier | ProtoCacheTtlPrice) {
  const { cacheCreationNanoUsdPerMillion, cacheReadNanoUsdPerMillion } = prices;
  return {
    ...(cacheCreationNanoUsdPerMillion !== undefined && { cacheCreationNanoUsdPerMillion }),
    ...(cacheReadNanoUsdPerMillion !== undefined && { cacheReadNanoUsdPerMillion }),
  };
}
