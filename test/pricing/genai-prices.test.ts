import { calcPrice, type ModelPrice } from "@pydantic/genai-prices";
import { expect } from "chai";
import { computeCost } from "../../src/pricing/cost.js";
import { type GenaiCollection, loadGenaiCollection } from "../../src/pricing/genai-collection.js";
import {
  type ImportedPrice,
  importGenaiPrices,
  type PriceImport,
} from "../../src/pricing/genai-prices.js";
import type { Price, PriceTier } from "../../src/pricing/price.js";
import { createPriceBook } from "../../src/pricing/price-book.js";
import { priceViolations } from "../../src/pricing/price-validation.js";
import { normalizeTokens } from "../../src/pricing/tokens.js";

describe("importGenaiPrices", () => {
  let collection: GenaiCollection;
  let imported: PriceImport;

  before(async () => {
    collection = await loadGenaiCollection();
    imported = importGenaiPrices(collection.providers);
  });

  function entriesOf(model: string, provider?: string): readonly ImportedPrice[] {
    return imported.prices.filter((e) => e.model === model && e.provider === provider);
  }

  it("imports gpt-4o as OpenAI sells it, as OpenAI's price and as the global one", () => {
    const price: Price = {
      tiers: [
        {
          inputNanoUsdPerMillion: 2_500_000_000n,
          outputNanoUsdPerMillion: 10_000_000_000n,
          cacheReadNanoUsdPerMillion: 1_250_000_000n,
          cacheTtlPricing: [],
        },
      ],
    };
    const source = { providerId: "openai", modelId: "gpt-4o" };
    for (const model of ["gpt-4o", "gpt-4o-2024-08-06"]) {
      expect(entriesOf(model, "openai")).to.deep.equal([
        { provider: "openai", model, price, source },
      ]);
      expect(entriesOf(model)).to.deep.equal([{ model, price, source }]);
    }
  });

  it("imports the tiers and cache prices of Claude Sonnet 4.5, under its dated name too", () => {
    const tier = (input: bigint, output: bigint, write: bigint, hour: bigint, read: bigint) => ({
      inputNanoUsdPerMillion: input,
      outputNanoUsdPerMillion: output,
      cacheCreationNanoUsdPerMillion: write,
      cacheReadNanoUsdPerMillion: read,
      cacheTtlPricing: [
        { ttlMinutes: 5, cacheCreationNanoUsdPerMillion: write },
        { ttlMinutes: 60, cacheCreationNanoUsdPerMillion: hour },
      ],
    });
    const low = tier(3_000_000_000n, 15_000_000_000n, 3_750_000_000n, 6_000_000_000n, 300_000_000n);
    const high = tier(
      6_000_000_000n,
      22_500_000_000n,
      7_500_000_000n,
      12_000_000_000n,
      600_000_000n,
    );
    for (const model of ["claude-sonnet-4-5", "claude-sonnet-4-5-20250929"]) {
      for (const provider of ["anthropic", undefined]) {
        const prices = entriesOf(model, provider).map((entry) => entry.price);
        expect(prices).to.deep.equal([{ tiers: [{ upToTokens: 200_000, ...low }, high] }]);
      }
    }
  });

  it("dates a price that changed", () => {
    const entries = entriesOf("claude-opus-4-6", "anthropic");
    expect(entries.map((entry) => entry.effectiveFromMs)).to.deep.equal([
      undefined,
      Date.UTC(2026, 2, 13),
    ]);
    expect(entries.map((entry) => entry.price.tiers.length)).to.deep.equal([2, 1]);
  });

  it("imports prices per request", () => {
    expect(entriesOf("sonar", "perplexity")[0]?.price.requestNanoUsd).to.equal(12_000_000n);
  });

  it("makes no global price of a reseller's", () => {
    const global = imported.prices.filter((entry) => entry.provider === undefined);
    expect(global.some(({ source }) => source.providerId === "azure")).to.equal(false);
    expect(global.some(({ source }) => source.providerId === "openrouter")).to.equal(false);
    expect(
      global.every(({ model, source: { providerId } }) => entriesOf(model, providerId).length > 0),
    ).to.equal(true);
  });

  it("gives only valid prices, each model, provider and time once, sorted", () => {
    const key = ({ provider = "", model, effectiveFromMs = -1 }: ImportedPrice) =>
      [provider, model, String(effectiveFromMs).padStart(15, " ")].join("\u0000");
    const keys = imported.prices.map(key);
    expect(new Set(keys).size).to.equal(keys.length);
    expect(keys).to.deep.equal([...keys].sort());
    const broken = imported.prices.filter(({ price }) => priceViolations(price).length > 0);
    expect(broken).to.deep.equal([]);
  });

  it("gives the same again", () => {
    expect(importGenaiPrices(collection.providers)).to.deep.equal(imported);
  });

  it("imports only the providers asked for, whose makers are still known", () => {
    const { prices } = importGenaiPrices(collection.providers, {
      providerIds: ["azure", "openai"],
    });
    const owners = new Set(prices.map((entry) => entry.provider));
    expect([...owners]).to.have.members([undefined, "azure", "openai"]);
    const gpt = prices.find((entry) => entry.provider === undefined && entry.model === "gpt-4o");
    expect(gpt?.source.providerId).to.equal("openai");
  });

  it("imports wanted names that a pattern takes, and no others", () => {
    const wantedNames = ["claude-opus-4-6-20991231", "no-such-model"];
    const { prices } = importGenaiPrices(collection.providers, { wantedNames });
    const opus = prices.find((e) => e.provider === "anthropic" && e.model === wantedNames[0]);
    expect(opus?.source.modelId).to.equal("claude-opus-4-6");
    expect(prices.some((entry) => entry.model === wantedNames[1])).to.equal(false);
  });

  it("has every number of the collection exactly, or tells why not", () => {
    const seen = { numbers: 0, exact: 0, rounded: 0, skipped: 0 };
    for (const { providerId, modelId, prices, effectiveFromMs } of allPrices(collection)) {
      const entry = imported.prices.find(
        (candidate) =>
          candidate.provider === providerId &&
          candidate.model === modelId &&
          candidate.effectiveFromMs === effectiveFromMs,
      );
      const told = imported.skipped.filter(
        (skip) => skip.providerId === providerId && skip.modelId === modelId,
      );
      for (const [unit, context, dollars] of numbersIn(prices)) {
        seen.numbers += 1;
        const nanoUsd = entry === undefined ? undefined : amountIn(entry.price, unit, context);
        const shifted = shiftPoint(dollars, unit === "requests_kcount" ? 6 : 9);
        if (nanoUsd !== undefined && shifted === String(nanoUsd)) seen.exact += 1;
        else if (
          imported.rounded.some(
            (r) => r.unit === unit && r.text === String(dollars) && r.nanoUsd === nanoUsd,
          )
        )
          seen.rounded += 1;
        else {
          const reasons = told.map((skip) => `${skip.reason} ${skip.detail}`).join();
          expect(reasons, `${providerId}/${modelId} ${unit}`).to.match(
            new RegExp(`UNSUPPORTED_UNIT ${unit}|NO_TOKEN_PRICE .*${unit}|TIME_OF_DAY`),
          );
          seen.skipped += 1;
        }
      }
    }
    // The numbers of the pinned version: a lost one shows here even if its model is lost with it.
    expect(seen).to.deep.equal({ numbers: 4_174, exact: 3_962, rounded: 7, skipped: 205 });
  });

  it("costs what the package itself computes, at every border, in every period", () => {
    let compared = 0;
    const book = createPriceBook({
      prices: imported.prices.map((entry, index) => ({
        ...entry,
        priceId: `${index}`,
        version: 1n,
      })),
    });
    for (const { provider, model, price, effectiveFromMs } of imported.prices) {
      if (provider === undefined) continue;
      // 20:00 UTC lies outside the hours whose prices are skipped.
      const atMs = (effectiveFromMs ?? Date.UTC(2024, 0, 1)) + 20 * 3_600_000;
      const borders = price.tiers.flatMap(({ upToTokens }) => upToTokens ?? []);
      for (const context of [1_000, ...borders, ...borders.map((border) => border + 1)]) {
        const usage = usageOf(price, context);
        const options = { providerId: provider, timestamp: new Date(atMs) };
        const expected = calcPrice({ ...usage }, model, options);
        // Some ids name a family and are taken by no pattern, not even their own.
        if (expected === null) continue;
        const terms = book.findTerms({ model, provider, atMs });
        const {
          input_tokens,
          output_tokens,
          cache_read_tokens = 0,
          cache_write_tokens = 0,
        } = usage;
        const tokens = normalizeTokens({
          inputTokens: input_tokens,
          outputTokens: output_tokens,
          cacheReadInputTokens: cache_read_tokens,
          cacheCreationInputTokens: cache_write_tokens,
          tokenConvention: "CACHE_INCLUSIVE",
        });
        const { list } = computeCost({ terms, tokens, failed: false, apiFormat: "CLAUDE" });
        const difference = Math.abs(Number(list.totalNanoUsd) - expected.total_price * 1e9);
        const tolerance = 5 + expected.total_price * 1e-3;
        expect(difference, `${provider}/${model} at ${context}`).to.be.below(tolerance);
        compared += 1;
      }
    }
    expect(compared).to.be.above(2_500);
  });
});

describe("loadGenaiCollection", () => {
  it("answers with the bundled data and its version, without the network", async () => {
    const original = globalThis.fetch;
    globalThis.fetch = () => {
      throw new Error("the network is not to be used");
    };
    try {
      const { version, providers } = await loadGenaiCollection();
      expect(version).to.match(/^\d+\.\d+\.\d+$/);
      expect(providers.map((provider) => provider.id)).to.include.members(["anthropic", "openai"]);
    } finally {
      globalThis.fetch = original;
    }
  });
});

/** Every set of prices in the collection with the day from which it is given. */
function* allPrices({ providers }: GenaiCollection) {
  for (const provider of providers) {
    for (const model of provider.models) {
      const entries = Array.isArray(model.prices) ? model.prices : [{ prices: model.prices }];
      for (const { prices, constraint } of entries) {
        const isDated = constraint?.type === "start_date";
        const isDaily = constraint?.type === "time_of_date";
        const effectiveFromMs = isDated ? new Date(constraint.start_date).getTime() : undefined;
        yield {
          providerId: provider.id,
          modelId: model.id,
          prices,
          // A day that is never imported, so that daily prices find no entry.
          effectiveFromMs: isDaily ? Number.NaN : effectiveFromMs,
        };
      }
    }
  }
}

/** Every number of a price with its unit and the smallest context to which it applies. */
function numbersIn(prices: ModelPrice): [unit: string, context: number, dollars: number][] {
  return Object.entries(prices).flatMap(([unit, amount]): [string, number, number][] => {
    if (amount === undefined) return [];
    if (typeof amount === "number") return [[unit, 0, amount]];
    const steps = amount.tiers.map((step): [string, number, number] => [
      unit,
      step.start + 1,
      step.price,
    ]);
    return [[unit, 0, amount.base], ...steps];
  });
}

/** What an imported price has for a unit of the collection, nano-USD. */
function amountIn(price: Price, unit: string, context: number): bigint | undefined {
  if (unit === "requests_kcount") return price.requestNanoUsd;
  const tier = price.tiers.find(({ upToTokens = Number.MAX_VALUE }) => context <= upToTokens);
  const readers: Record<string, (tier: PriceTier) => bigint | undefined> = {
    input_mtok: (t) => t.inputNanoUsdPerMillion,
    output_mtok: (t) => t.outputNanoUsdPerMillion,
    cache_write_mtok: (t) => t.cacheCreationNanoUsdPerMillion,
    cache_write_1h_mtok: (t) => t.cacheTtlPricing.at(-1)?.cacheCreationNanoUsdPerMillion,
    cache_read_mtok: (t) => t.cacheReadNanoUsdPerMillion,
  };
  return tier === undefined ? undefined : readers[unit]?.(tier);
}

/** A number's own decimal text with the point moved to the right, by hand. */
function shiftPoint(value: number, places: number): string {
  const [integer = "", decimals = ""] = String(value).split(".");
  if (decimals.length > places) return "has too many digits";
  return `${integer}${decimals.padEnd(places, "0")}`.replace(/^0+(?=\d)/, "");
}

/** Tokens of every kind that a price has a price for, together the given context. */
function usageOf(price: Price, context: number) {
  const [tier] = price.tiers;
  const cached = Math.floor(context / 4);
  return {
    input_tokens: context,
    output_tokens: 777,
    ...(tier?.cacheReadNanoUsdPerMillion !== undefined && { cache_read_tokens: cached }),
    ...(tier?.cacheCreationNanoUsdPerMillion !== undefined && { cache_write_tokens: cached }),
  };
}
