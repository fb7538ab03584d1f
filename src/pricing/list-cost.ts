import {
  CACHE_PRICE_TOKENS,
  cacheCreationNanoUsdPer20Million,
  cacheReadNanoUsdPer20Million,
} from "./cache-price.js";
import { type CostBreakdown, sumParts } from "./cost-breakdown.js";
import { divideHalfEven } from "./money.js";
import type { PriceTier } from "./price.js";
import type { TokenCounts } from "./tokens.js";

/** Tokens that a price is for. */
const PRICE_TOKENS = 1_000_000n;

/** What list prices are applied to. */
export interface ListCostInput {
  readonly tier: PriceTier;
  readonly tokens: TokenCounts;
  /** Time to live of the prompt cache entry, where the portions do not tell. */
  readonly cacheTtlMinutes: number | undefined;
  /** The price per request to add, nano-USD. */
  readonly requestNanoUsd: bigint;
  /** Whether the output is paid. */
  readonly paysOutput: boolean;
}

/**
 * Cost at list prices. Each part is tokens x price / 1,000,000, exact, rounded half-even once
 * to the nano-USD; cache creation is one part, however many times to live it is made of.
 *
 * @throws CostOutOfRangeError when the total passes 2^63 - 1
 */
export function listCost(input: ListCostInput): CostBreakdown {
  const { tier, tokens } = input;
  return sumParts({
    inputNanoUsd: tokenCost(tokens.inputTokens, tier.inputNanoUsdPerMillion),
    outputNanoUsd: input.paysOutput
      ? tokenCost(tokens.outputTokens, tier.outputNanoUsdPerMillion)
      : 0n,
    cacheCreationNanoUsd: creationCost(tier, tokens, input.cacheTtlMinutes),
    cacheReadNanoUsd: readCost(tier, tokens, input.cacheTtlMinutes),
    requestNanoUsd: input.requestNanoUsd,
  });
}

function tokenCost(tokens: number, nanoUsdPerMillion: bigint): bigint {
  if (tokens === 0) return 0n;
  return divideHalfEven(BigInt(tokens) * nanoUsdPerMillion, PRICE_TOKENS);
}

function creationCost(
  tier: PriceTier,
  tokens: TokenCounts,
  cacheTtlMinutes: number | undefined,
): bigint {
  if (tokens.cacheCreationInputTokens === 0) return 0n;
  if (tokens.cacheCreations.length === 0) {
    const price = cacheCreationNanoUsdPer20Million(tier, cacheTtlMinutes);
    return divideHalfEven(BigInt(tokens.cacheCreationInputTokens) * price, CACHE_PRICE_TOKENS);
  }
  let sum = 0n;
  for (const portion of tokens.cacheCreations) {
    sum += BigInt(portion.tokens) * cacheCreationNanoUsdPer20Million(tier, portion.ttlMinutes);
  }
  return divideHalfEven(sum, CACHE_PRICE_TOKENS);
}

function readCost(
  tier: PriceTier,
  tokens: TokenCounts,
  cacheTtlMinutes: number | undefined,
): bigint {
  if (tokens.cacheReadInputTokens === 0) return 0n;
  const price = cacheReadNanoUsdPer20Million(tier, cacheTtlMinutes);
  return divideHalfEven(BigInt(tokens.cacheReadInputTokens) * price, CACHE_PRICE_TOKENS);
}
