import { expect } from "chai";
import fc from "fast-check";
import { DomainError } from "../../src/errors.js";
import {
  MAX_TOKENS,
  normalizeTokens,
  type ReportedTokens,
  tokenViolations,
} from "../../src/pricing/tokens.js";
import { exclusiveTokens } from "./arbitraries.js";

describe("normalizeTokens", () => {
  it("keeps exclusive counts and adds up the total", () => {
    const tokens = normalizeTokens({
      inputTokens: 100,
      outputTokens: 20,
      cacheCreationInputTokens: 30,
      cacheReadInputTokens: 400,
      tokenConvention: "CACHE_EXCLUSIVE",
    });
    expect(tokens).to.deep.equal({
      inputTokens: 100,
      outputTokens: 20,
      cacheCreationInputTokens: 30,
      cacheReadInputTokens: 400,
      cacheCreations: [],
      totalTokens: 550,
    });
  });

  it("takes the cached tokens off an inclusive input", () => {
    const tokens = normalizeTokens({
      inputTokens: 530,
      outputTokens: 20,
      cacheCreationInputTokens: 30,
      cacheReadInputTokens: 400,
      tokenConvention: "CACHE_INCLUSIVE",
    });
    expect(tokens.inputTokens).to.equal(100);
    expect(tokens.totalTokens).to.equal(550);
  });

  it("takes the sum of the portions for a missing total of cache writes", () => {
    const tokens = normalizeTokens({
      inputTokens: 100,
      outputTokens: 0,
      cacheCreations: [
        { ttlMinutes: 5, tokens: 7 },
        { ttlMinutes: 60, tokens: 8 },
      ],
      tokenConvention: "CACHE_INCLUSIVE",
    });
    expect(tokens.cacheCreationInputTokens).to.equal(15);
    expect(tokens.inputTokens).to.equal(85);
    expect(tokens.totalTokens).to.equal(100);
  });

  it("makes inclusive and exclusive reports of the same request equal", () => {
    fc.assert(
      fc.property(exclusiveTokens, (exclusive) => {
        const expected = normalizeTokens(exclusive);
        const inputTokens = expected.totalTokens - expected.outputTokens;
        fc.pre(inputTokens <= MAX_TOKENS);
        const inclusive = normalizeTokens({
          ...exclusive,
          inputTokens,
          tokenConvention: "CACHE_INCLUSIVE",
        });
        expect(inclusive).to.deep.equal(expected);
      }),
    );
  });

  it("stays exact at 2^40 tokens of each kind", () => {
    const tokens = normalizeTokens({
      inputTokens: MAX_TOKENS,
      outputTokens: MAX_TOKENS,
      cacheCreationInputTokens: MAX_TOKENS,
      cacheReadInputTokens: MAX_TOKENS,
      tokenConvention: "CACHE_EXCLUSIVE",
    });
    expect(tokens.totalTokens).to.equal(2 ** 42);
  });

  it("throws every violation", () => {
    const reported = { inputTokens: -1, outputTokens: 0.5 };
    expect(() => normalizeTokens(reported)).to.throw(
      DomainError,
      /input_tokens: .*; output_tokens: /,
    );
  });
});

describe("tokenViolations", () => {
  const base = { inputTokens: 10, outputTokens: 0 };
  const exclusive = { ...base, tokenConvention: "CACHE_EXCLUSIVE" } as const;
  const portion = (tokens: number, ttlMinutes = 5) => ({ ttlMinutes, tokens });
  const refused: [what: string, reported: ReportedTokens, ...fields: string[]][] = [
    ["a negative count", { ...base, inputTokens: -1 }, "input_tokens"],
    ["a fraction of a token", { ...base, outputTokens: 1.5 }, "output_tokens"],
    ["not a number", { ...base, inputTokens: Number.NaN }, "input_tokens"],
    ["more than 2^40", { ...base, outputTokens: MAX_TOKENS + 1 }, "output_tokens"],
    [
      "a negative count of cached tokens",
      { ...exclusive, cacheReadInputTokens: -1 },
      "cache_read_input_tokens",
    ],
    [
      "too many cached tokens",
      { ...exclusive, cacheCreationInputTokens: MAX_TOKENS + 1 },
      "cache_creation_input_tokens",
    ],
    [
      "a portion without time to live",
      { ...exclusive, cacheCreations: [portion(1, 0)] },
      "cache_creations[0].ttl_minutes",
    ],
    [
      "a negative portion",
      { ...exclusive, cacheCreations: [portion(1), portion(-1)] },
      "cache_creations[1].tokens",
    ],
    [
      "portions that add up to less",
      { ...exclusive, cacheCreationInputTokens: 5, cacheCreations: [portion(4)] },
      "cache_creations",
    ],
    [
      "portions that add up to more",
      { ...exclusive, cacheCreationInputTokens: 5, cacheCreations: [portion(6)] },
      "cache_creations",
    ],
    [
      "portions beside a total of zero",
      { ...exclusive, cacheCreationInputTokens: 0, cacheCreations: [portion(1)] },
      "cache_creations",
    ],
    [
      "portions that add up to more than 2^40",
      { ...exclusive, cacheCreations: [portion(MAX_TOKENS), portion(1)] },
      "cache_creations",
    ],
    [
      "cached tokens without a convention",
      { ...base, cacheReadInputTokens: 1 },
      "token_convention",
    ],
    [
      "portions without a convention",
      { ...base, cacheCreations: [portion(0)] },
      "token_convention",
    ],
    [
      "an inclusive input below its cached tokens",
      {
        ...base,
        cacheReadInputTokens: 6,
        cacheCreationInputTokens: 5,
        tokenConvention: "CACHE_INCLUSIVE",
      },
      "input_tokens",
    ],
    ["several at once", { inputTokens: -1, outputTokens: -1 }, "input_tokens", "output_tokens"],
  ];
  for (const [what, reported, ...fields] of refused) {
    it(`finds ${what}`, () => {
      expect(tokenViolations(reported).map((violation) => violation.field)).to.deep.equal(fields);
    });
  }

  const valid: [what: string, reported: ReportedTokens][] = [
    ["no cached tokens without a convention", base],
    ["zero cached tokens without a convention", { ...base, cacheReadInputTokens: 0 }],
    [
      "an inclusive input that is all cached",
      { ...base, cacheReadInputTokens: 10, tokenConvention: "CACHE_INCLUSIVE" },
    ],
    ["cached tokens above an exclusive input", { ...exclusive, cacheReadInputTokens: 11 }],
    [
      "portions that add up",
      { ...exclusive, cacheCreationInputTokens: 5, cacheCreations: [portion(2), portion(3)] },
    ],
  ];
  for (const [what, reported] of valid) {
    it(`takes ${what}`, () => {
      expect(tokenViolations(reported)).to.deep.equal([]);
    });
  }
});
