/**
 * A second, naive way to price a request, for tests: fractions of dollars, prices per token,
 * one formula a part. It shares no code with what it checks.
 */
import type { CostInput } from "../../src/pricing/cost.js";
import type { CostBreakdown } from "../../src/pricing/cost-breakdown.js";
import type { PriceTier } from "../../src/pricing/price.js";

/** A fraction, numerator and positive denominator. */
type Fraction = readonly [bigint, bigint];

const times = ([a, b]: Fraction, [c, d]: Fraction): Fraction => [a * c, b * d];
const plus = ([a, b]: Fraction, [c, d]: Fraction): Fraction => [a * d + c * b, b * d];
const whole = (value: bigint | number): Fraction => [BigInt(value), 1n];
const zero = whole(0);

/** Rounds by looking at the digits behind the point, as one does on paper. */
export function roundOnPaper([numerator, denominator]: Fraction): bigint {
  const floor = numerator / denominator;
  const tenths = ((numerator % denominator) * 10n) / denominator;
  const isExactHalf = (numerator % denominator) * 2n === denominator;
  if (isExactHalf) return floor % 2n === 0n ? floor : floor + 1n;
  return tenths >= 5n ? floor + 1n : floor;
}

/** List and actual cost as the written rules have them. */
export function priceOnPaper(input: CostInput): { list: CostBreakdown; actual: CostBreakdown } {
  const list = listOnPaper(input);
  const { billingType, rateMultiplier } = input.terms;
  const [integer = "0", decimals = ""] = rateMultiplier.text.split(".");
  const factor: Fraction = [BigInt(integer + decimals), BigInt(`1${"0".repeat(decimals.length)}`)];
  const share = (part: bigint) =>
    billingType === "FREE_TIER" ? 0n : roundOnPaper(times(whole(part), factor));
  const actual = addUp(
    share(list.inputNanoUsd),
    share(list.outputNanoUsd),
    share(list.cacheCreationNanoUsd),
    share(list.cacheReadNanoUsd),
    share(list.requestNanoUsd),
  );
  return { list, actual };
}

/** The tier by the written rule. */
export function tierOnPaper(input: CostInput): number {
  const { lookup } = input.terms;
  if (lookup.outcome !== "PRICED") throw new Error("there is no price");
  const { tiers } = lookup.version.price;
  if (input.useTieredPricing === false) return 0;
  const { inputTokens, cacheReadInputTokens, cacheCreationInputTokens } = input.tokens;
  let context = inputTokens + cacheReadInputTokens;
  if (input.apiFormat?.toUpperCase().startsWith("CLAUDE")) context += cacheCreationInputTokens;
  for (let index = 0; index < tiers.length; index += 1) {
    if (context <= (tiers[index]?.upToTokens ?? Number.MAX_VALUE)) return index;
  }
  return tiers.length - 1;
}

function listOnPaper(input: CostInput): CostBreakdown {
  const { lookup, failedRequestBilling } = input.terms;
  const { tokens, failed } = input;
  if (lookup.outcome !== "PRICED") return addUp(0n, 0n, 0n, 0n, 0n);
  if (failed && failedRequestBilling === "NONE") return addUp(0n, 0n, 0n, 0n, 0n);
  const tier = lookup.version.price.tiers[tierOnPaper(input)];
  if (tier === undefined) throw new Error("there is no tier");
  const cost = (count: number, nanoUsdPerMillion: Fraction) =>
    times(whole(count), times(nanoUsdPerMillion, [1n, 1_000_000n]));
  const portions =
    tokens.cacheCreations.length > 0
      ? tokens.cacheCreations
      : [{ ttlMinutes: input.cacheTtlMinutes, tokens: tokens.cacheCreationInputTokens }];
  const creation = portions
    .map((portion) => cost(portion.tokens, cachePrice(tier, portion.ttlMinutes, "Creation")))
    .reduce(plus, zero);
  const skipsOutput = failed && failedRequestBilling === "PROMPT_ONLY";
  const output = cost(tokens.outputTokens, whole(tier.outputNanoUsdPerMillion));
  return addUp(
    roundOnPaper(cost(tokens.inputTokens, whole(tier.inputNanoUsdPerMillion))),
    skipsOutput ? 0n : roundOnPaper(output),
    roundOnPaper(creation),
    roundOnPaper(
      cost(tokens.cacheReadInputTokens, cachePrice(tier, input.cacheTtlMinutes, "Read")),
    ),
    failed ? 0n : (lookup.version.price.requestNanoUsd ?? 0n),
  );
}

function cachePrice(
  tier: PriceTier,
  ttlMinutes: number | undefined,
  kind: "Creation" | "Read",
): Fraction {
  const key = `cache${kind}NanoUsdPerMillion` as const;
  const fallback: Fraction = kind === "Creation" ? [5n, 4n] : [1n, 10n];
  const derived = times(whole(tier.inputNanoUsdPerMillion), fallback);
  const own = tier[key] === undefined ? derived : whole(tier[key]);
  if (ttlMinutes === undefined || tier.cacheTtlPricing.length === 0) return own;
  let chosen = tier.cacheTtlPricing[tier.cacheTtlPricing.length - 1];
  for (const entry of [...tier.cacheTtlPricing].reverse()) {
    if (entry.ttlMinutes >= ttlMinutes) chosen = entry;
  }
  const price = chosen?.[key];
  return price === undefined ? own : whole(price);
}

function addUp(
  inputNanoUsd: bigint,
  outputNanoUsd: bigint,
  cacheCreationNanoUsd: bigint,
  cacheReadNanoUsd: bigint,
  requestNanoUsd: bigint,
): CostBreakdown {
  return {
    inputNanoUsd,
    outputNanoUsd,
    cacheCreationNanoUsd,
    cacheReadNanoUsd,
    cacheNanoUsd: cacheCreationNanoUsd + cacheReadNanoUsd,
    requestNanoUsd,
    totalNanoUsd:
      inputNanoUsd + outputNanoUsd + cacheCreationNanoUsd + cacheReadNanoUsd + requestNanoUsd,
  };
}
