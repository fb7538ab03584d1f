import { type FieldViolation, violation } from "../errors.js";
import {
  type CacheTtlPrice,
  MAX_CACHE_TTL_MINUTES,
  MAX_CACHE_TTL_PRICES,
  MAX_PRICE_NANO_USD_PER_MILLION,
  MAX_REQUEST_PRICE_NANO_USD,
  MAX_TIER_BORDER_TOKENS,
  MAX_TIERS,
  type Price,
  type PriceTier,
} from "./price.js";

/** Every rule that a price breaks, by the contract's field names; empty for a valid one. */
export function priceViolations(price: Price): FieldViolation[] {
  const found: FieldViolation[] = [];
  checkCount(found, "tiers", price.tiers.length, 1, MAX_TIERS);
  price.tiers.forEach((tier, index) => {
    checkTier(found, `tiers[${index}]`, tier);
    checkBorder(found, price.tiers, index);
  });
  checkAmount(found, "request_nano_usd", price.requestNanoUsd, MAX_REQUEST_PRICE_NANO_USD);
  return found;
}

function checkTier(found: FieldViolation[], path: string, tier: PriceTier): void {
  const amounts = [
    ["input_nano_usd_per_million", tier.inputNanoUsdPerMillion],
    ["output_nano_usd_per_million", tier.outputNanoUsdPerMillion],
    ["cache_creation_nano_usd_per_million", tier.cacheCreationNanoUsdPerMillion],
    ["cache_read_nano_usd_per_million", tier.cacheReadNanoUsdPerMillion],
  ] as const;
  for (const [name, amount] of amounts) {
    checkAmount(found, `${path}.${name}`, amount, MAX_PRICE_NANO_USD_PER_MILLION);
  }
  const ttlPath = `${path}.cache_ttl_pricing`;
  checkCount(found, ttlPath, tier.cacheTtlPricing.length, 0, MAX_CACHE_TTL_PRICES);
  tier.cacheTtlPricing.forEach((_, index) => {
    checkTtlPrice(found, ttlPath, tier.cacheTtlPricing, index);
  });
}

function checkBorder(found: FieldViolation[], tiers: readonly PriceTier[], index: number): void {
  const field = `tiers[${index}].up_to_tokens`;
  const border = tiers[index]?.upToTokens;
  if (border === undefined) {
    if (index < tiers.length - 1) {
      found.push(violation(field, undefined, "is required for all tiers but the last"));
    }
    return;
  }
  checkInteger(found, field, border, MAX_TIER_BORDER_TOKENS);
  const below = tiers[index - 1]?.upToTokens;
  if (below !== undefined && border <= below) {
    found.push(violation(field, border, `must be above that of the tier before, ${below}`));
  }
}

function checkTtlPrice(
  found: FieldViolation[],
  path: string,
  entries: readonly CacheTtlPrice[],
  index: number,
): void {
  const entry = entries[index];
  if (entry === undefined) return;
  const at = `${path}[${index}]`;
  checkInteger(found, `${at}.ttl_minutes`, entry.ttlMinutes, MAX_CACHE_TTL_MINUTES);
  const below = entries[index - 1]?.ttlMinutes;
  if (below !== undefined && entry.ttlMinutes <= below) {
    const rule = `must be above that of the entry before, ${below}`;
    found.push(violation(`${at}.ttl_minutes`, entry.ttlMinutes, rule));
  }
  const max = MAX_PRICE_NANO_USD_PER_MILLION;
  const { cacheCreationNanoUsdPerMillion, cacheReadNanoUsdPerMillion } = entry;
  checkAmount(
    found,
    `${at}.cache_creation_nano_usd_per_million`,
    cacheCreationNanoUsdPerMillion,
    max,
  );
  checkAmount(found, `${at}.cache_read_nano_usd_per_million`, cacheReadNanoUsdPerMillion, max);
}

function checkCount(
  found: FieldViolation[],
  field: string,
  count: number,
  min: number,
  max: number,
): void {
  if (count < min || count > max) {
    found.push(violation(field, count, `must have ${min} to ${max} entries`));
  }
}

function checkAmount(
  found: FieldViolation[],
  field: string,
  amount: bigint | undefined,
  max: bigint,
): void {
  if (amount !== undefined && (amount < 0n || amount > max)) {
    found.push(violation(field, amount, `must be 0 to ${max}`));
  }
}

function checkInteger(found: FieldViolation[], field: string, value: number, max: number): void {
  if (!Number.isSafeInteger(value) || value < 1 || value > max) {
    found.push(violation(field, value, `must be a whole number from 1 to ${max}`));
  }
}
