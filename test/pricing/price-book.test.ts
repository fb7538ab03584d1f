import { expect } from "chai";
import fc from "fast-check";
import { DecimalError } from "../../src/pricing/money.js";
import { formatPriceVersion, type Price, type PriceVersion } from "../../src/pricing/price.js";
import { createPriceBook, type PriceBook } from "../../src/pricing/price-book.js";
import { PriceBookError, type PricingProvider } from "../../src/pricing/price-book-rows.js";
import type { PriceLookup } from "../../src/pricing/pricing-terms.js";

const PRICE: Price = {
  tiers: [{ inputNanoUsdPerMillion: 1n, outputNanoUsdPerMillion: 2n, cacheTtlPricing: [] }],
};

const INVALID: Price = { tiers: [] };

function entry(priceId: string, change: Partial<PriceVersion> = {}): PriceVersion {
  return { priceId, model: "m", price: PRICE, version: 1n, ...change };
}

function provider(name: string, change: Partial<PricingProvider> = {}): PricingProvider {
  return {
    provider: name,
    active: true,
    billingType: "PAY_AS_YOU_GO",
    failedRequestBilling: "USAGE",
    ...change,
  };
}

function idOf(lookup: PriceLookup): string {
  return lookup.outcome === "PRICED" ? lookup.version.priceId : lookup.outcome;
}

function find(book: PriceBook, model: string, providerName?: string, atMs = 0): string {
  const owner = providerName === undefined ? {} : { provider: providerName };
  return idOf(book.findTerms({ model, atMs, ...owner }).lookup);
}

describe("createPriceBook", () => {
  describe("findTerms", () => {
    it("prefers the provider's own price to the global one, and has none else", () => {
      const book = createPriceBook({
        prices: [entry("global"), entry("own", { provider: "p" })],
      });
      expect(find(book, "m", "p")).to.equal("own");
      expect(find(book, "m", "q")).to.equal("global");
      expect(find(book, "m")).to.equal("global");
      expect(find(book, "m", "")).to.equal("global");
      expect(find(book, "n", "p")).to.equal("NO_PRICE");
    });

    it("does not lend a provider's price to others", () => {
      const book = createPriceBook({ prices: [entry("own", { provider: "p" })] });
      expect(find(book, "m", "q")).to.equal("NO_PRICE");
      expect(find(book, "m")).to.equal("NO_PRICE");
    });

    it("takes the price that is in force at the time", () => {
      const book = createPriceBook({
        prices: [
          entry("first"),
          entry("second", { effectiveFromMs: 1_000 }),
          entry("third", { effectiveFromMs: 2_000, effectiveToMs: 3_000 }),
        ],
      });
      const at = (atMs: number) => find(book, "m", "p", atMs);
      expect(at(Number.MIN_SAFE_INTEGER)).to.equal("first");
      expect(at(999.999)).to.equal("first");
      expect(at(1_000)).to.equal("second");
      expect(at(1_999)).to.equal("second");
      expect(at(2_000)).to.equal("third");
      expect(at(2_999)).to.equal("third");
      expect(at(3_000)).to.equal("second");
    });

    it("falls back to the global price while the provider's own is not in force", () => {
      const own = entry("own", { provider: "p", effectiveFromMs: 10, effectiveToMs: 20 });
      const book = createPriceBook({ prices: [entry("global"), own] });
      const ids = [9, 10, 19, 20].map((atMs) => find(book, "m", "p", atMs));
      expect(ids).to.deep.equal(["global", "own", "own", "global"]);
    });

    it("takes the higher version of two that start together", () => {
      const book = createPriceBook({
        prices: [entry("a", { version: 2n }), entry("b", { version: 10n }), entry("c")],
      });
      expect(find(book, "m")).to.equal("b");
    });

    it("agrees with looking at every entry, whatever overlaps", () => {
      const times = fc.option(fc.nat({ max: 12 }), { nil: undefined });
      const rows = fc.array(
        fc.tuple(
          fc.constantFrom("p", "q", undefined),
          times,
          times,
          fc.bigInt({ min: 1n, max: 3n }),
        ),
        { maxLength: 8 },
      );
      fc.assert(
        fc.property(
          rows,
          fc.constantFrom("p", "q", "r"),
          fc.nat({ max: 13 }),
          (tuples, name, atMs) => {
            const prices = tuples.map(([owner, from, to, version], index) =>
              entry(`${index}`, {
                version,
                ...(owner !== undefined && { provider: owner }),
                ...(from !== undefined && { effectiveFromMs: from }),
                ...(to !== undefined && { effectiveToMs: to }),
              }),
            );
            const book = createPriceBook({ prices });
            expect(find(book, "m", name, atMs)).to.equal(searchAll(prices, name, atMs));
          },
        ),
        { numRuns: 1_000 },
      );
    });

    it("prices nothing for an inactive model or provider and says which", () => {
      const book = createPriceBook({
        prices: [entry("global")],
        models: [{ model: "m", active: false }],
        providers: [provider("off", { active: false }), provider("on")],
      });
      expect(find(book, "m", "on")).to.equal("MODEL_INACTIVE");
      expect(find(book, "m", "unknown")).to.equal("MODEL_INACTIVE");
      expect(find(book, "m", "off")).to.equal("PROVIDER_INACTIVE");
      book.apply({ models: [{ model: "m", active: true }] });
      expect(find(book, "m", "on")).to.equal("global");
      expect(find(book, "m", "off")).to.equal("PROVIDER_INACTIVE");
    });

    it("answers with the provider's rules and the key's multiplier, or the defaults", () => {
      const book = createPriceBook({
        providers: [provider("p", { billingType: "FREE_TIER", failedRequestBilling: "NONE" })],
        providerKeys: [{ providerKeyId: "k", rateMultiplier: "0.850" }],
      });
      const known = book.findTerms({ model: "m", provider: "p", providerKeyId: "k", atMs: 0 });
      expect(known.billingType).to.equal("FREE_TIER");
      expect(known.failedRequestBilling).to.equal("NONE");
      expect(known.rateMultiplier.text).to.equal("0.85");
      const unknown = book.findTerms({ model: "m", provider: "q", providerKeyId: "l", atMs: 0 });
      expect(unknown.billingType).to.equal("PAY_AS_YOU_GO");
      expect(unknown.failedRequestBilling).to.equal("USAGE");
      expect(unknown.rateMultiplier.text).to.equal("1");
    });
  });

  describe("findCandidates", () => {
    it("lists the global price and every provider's own, but what is inactive", () => {
      const book = createPriceBook({
        prices: [
          entry("z", { provider: "z" }),
          entry("a", { provider: "a" }),
          entry("off", { provider: "off" }),
          entry("later", { provider: "b", effectiveFromMs: 10 }),
          entry("global"),
          entry("other", { model: "n" }),
        ],
        providers: [
          provider("off", { active: false }),
          provider("a", { failedRequestBilling: "NONE" }),
        ],
      });
      const found = book.findCandidates("m", 5);
      expect(found.map(({ lookup }) => idOf(lookup))).to.deep.equal(["global", "a", "z"]);
      expect(found[1]?.failedRequestBilling).to.equal("NONE");
      expect(book.findCandidates("unknown", 5)).to.deep.equal([]);
    });

    it("lists nothing for an inactive model", () => {
      const models = [{ model: "m", active: false }];
      const book = createPriceBook({ prices: [entry("global")], models });
      expect(book.findCandidates("m", 0)).to.deep.equal([]);
    });
  });

  describe("replace", () => {
    it("takes the new content whole", () => {
      const book = createPriceBook({
        prices: [entry("old")],
        models: [{ model: "m", active: false }],
      });
      book.replace({ prices: [entry("new")] });
      expect(find(book, "m")).to.equal("new");
    });

    it("leaves everything as it was when a row is refused", () => {
      const book = createPriceBook({ prices: [entry("old")] });
      const badPrice = { prices: [entry("new"), entry("bad", { price: INVALID })] };
      expect(() => book.replace(badPrice)).to.throw(PriceBookError, "price bad: tiers");
      const twice = { prices: [entry("x"), entry("x", { model: "n" })] };
      expect(() => book.replace(twice)).to.throw(PriceBookError, "unique ids");
      const noTime = { prices: [entry("x", { effectiveFromMs: Number.NaN })] };
      expect(() => book.replace(noTime)).to.throw(PriceBookError, "effective time");
      const badKey = {
        prices: [entry("new")],
        providerKeys: [{ providerKeyId: "k", rateMultiplier: "x" }],
      };
      expect(() => book.replace(badKey)).to.throw(DecimalError);
      expect(find(book, "m")).to.equal("old");
    });
  });

  describe("apply", () => {
    it("adds, replaces and removes rows by key", () => {
      const book = createPriceBook({
        prices: [entry("a"), entry("b", { model: "n" })],
        providers: [provider("p", { active: false })],
        models: [{ model: "n", active: false }],
        providerKeys: [{ providerKeyId: "k", rateMultiplier: "2" }],
      });
      const upsert = { prices: [entry("a", { model: "o" }), entry("c", { provider: "p" })] };
      book.apply(upsert, { providers: ["p"], models: ["n"], providerKeyIds: ["k"] });
      expect(find(book, "m", "q")).to.equal("NO_PRICE");
      expect(find(book, "o")).to.equal("a");
      expect(find(book, "m", "p")).to.equal("c");
      expect(find(book, "n")).to.equal("b");
      const terms = book.findTerms({ model: "n", providerKeyId: "k", atMs: 0 });
      expect(terms.rateMultiplier.text).to.equal("1");
      book.apply({}, { priceIds: ["b"] });
      expect(find(book, "n")).to.equal("NO_PRICE");
    });

    it("leaves everything as it was when a row is refused", () => {
      const book = createPriceBook({ prices: [entry("a")] });
      const upsert = {
        models: [{ model: "m", active: false }],
        prices: [entry("b", { price: INVALID })],
      };
      expect(() => book.apply(upsert, { priceIds: ["a"] })).to.throw(PriceBookError);
      expect(find(book, "m")).to.equal("a");
    });
  });
});

describe("formatPriceVersion", () => {
  it("joins the entry's id and its version", () => {
    expect(formatPriceVersion(entry("gpt-4o@openai", { version: 3n }))).to.equal("gpt-4o@openai#3");
  });
});

/**
 * The rule, told naively: own prices in force, else global ones; the last to start, then version,
 * then id.
 */
function searchAll(rows: readonly PriceVersion[], name: string, atMs: number): string {
  for (const owner of [name, undefined]) {
    const inForce = rows.filter(
      (row) =>
        row.provider === owner &&
        (row.effectiveFromMs ?? -1) <= atMs &&
        (row.effectiveToMs ?? 99) > atMs,
    );
    let best = inForce[0];
    for (const row of inForce) {
      if (best === undefined || rank(row) > rank(best)) best = row;
    }
    if (best !== undefined) return best.priceId;
  }
  return "NO_PRICE";
}

/** One number to compare by: starts count a thousandfold, versions tenfold, ids once. */
function rank(row: PriceVersion): number {
  const start = row.effectiveFromMs ?? -1;
  return start * 1_000 + Number(row.version) * 10 + Number(row.priceId);
}
