import { expect } from "chai";
import type { PriceTier } from "../../src/pricing/price.js";
import { contextTokens, isClaudeFormat, selectTierIndex } from "../../src/pricing/tier.js";

const tier = (upToTokens?: number): PriceTier => ({
  ...(upToTokens !== undefined && { upToTokens }),
  inputNanoUsdPerMillion: 1n,
  outputNanoUsdPerMillion: 1n,
  cacheTtlPricing: [],
});

describe("selectTierIndex", () => {
  const open = [tier(128_000), tier(200_000), tier()];
  const closed = [tier(128_000), tier(200_000)];
  const cases: [tiers: readonly PriceTier[], context: number, index: number][] = [
    [open, 0, 0],
    [open, 127_999, 0],
    [open, 128_000, 0],
    [open, 128_001, 1],
    [open, 200_000, 1],
    [open, 200_001, 2],
    [open, 2 ** 42, 2],
    [closed, 200_000, 1],
    [closed, 200_001, 1],
    [closed, 2 ** 42, 1],
    [[tier()], 2 ** 42, 0],
    [[tier(1)], 2, 0],
  ];
  for (const [tiers, context, index] of cases) {
    const borders = tiers.map(({ upToTokens }) => upToTokens ?? "open").join(", ");
    it(`takes tier ${index} of [${borders}] for a context of ${context}`, () => {
      expect(selectTierIndex(tiers, context)).to.equal(index);
    });
  }

  it("refuses a price without tiers", () => {
    expect(() => selectTierIndex([], 1)).to.throw(RangeError, "tiers");
  });
});

describe("contextTokens", () => {
  const tokens = {
    inputTokens: 1,
    cacheCreationInputTokens: 20,
    cacheReadInputTokens: 300,
  };

  it("counts input and cache reads", () => {
    for (const format of [undefined, "", "OPENAI", "GEMINI", "CLAUDETTE", "NOT_CLAUDE"]) {
      expect(contextTokens(tokens, format), format).to.equal(301);
    }
  });

  it("counts cache writes too for CLAUDE formats", () => {
    for (const format of ["CLAUDE", "CLAUDE_CLI", "CLAUDE_CHAT"]) {
      expect(contextTokens(tokens, format), format).to.equal(321);
    }
  });
});

describe("isClaudeFormat", () => {
  it("heeds neither letter case nor the separator", () => {
    const formats = ["claude", "Claude", "claude_cli", "claude:cli", "CLAUDE-CHAT"];
    expect(formats.filter(isClaudeFormat)).to.deep.equal(formats);
  });

  it("takes nothing else", () => {
    const formats = ["", "CLAUDECLI", "CLAUDE_", "CLAUDE_CLI_2", " CLAUDE", "ANTHROPIC"];
    expect(formats.filter(isClaudeFormat)).to.deep.equal([]);
  });
});
