import { expect } from "chai";
import fc from "fast-check";
import { createBlockSet } from "../../src/traffic/block-set.js";
import { BLOCK_TOKENS, createPrefixCache } from "../../src/traffic/prefix-cache.js";

describe("createBlockSet", () => {
  it("holds what a Set holds, for any ids", () => {
    const ids = fc.oneof(fc.nat({ max: 100 }), fc.maxSafeNat());
    fc.assert(
      fc.property(fc.array(ids), fc.array(ids), (added, asked) => {
        const blocks = createBlockSet();
        for (const id of added) blocks.add(id);
        const model = new Set(added);
        for (const id of [...added, ...asked]) expect(blocks.has(id)).to.equal(model.has(id));
      }),
    );
  });

  it("holds every id of a long row", () => {
    const blocks = createBlockSet();
    for (let id = 0; id < 10_000; id += 1) blocks.add(id);
    for (let id = 0; id < 10_000; id += 1) expect(blocks.has(id), String(id)).to.equal(true);
    expect(blocks.has(10_000)).to.equal(false);
  });

  it("keeps neighbours apart at the borders of words and pages", () => {
    const blocks = createBlockSet();
    for (const id of [31, 4_095, 2 ** 40]) blocks.add(id);
    for (const id of [30, 32, 4_094, 4_096, 2 ** 40 - 1, 2 ** 40 + 1]) {
      expect(blocks.has(id), String(id)).to.equal(false);
    }
  });
});

describe("createPrefixCache", () => {
  it("writes what is new and reads what was there", () => {
    const cache = createPrefixCache();
    expect(cache.send(1_100, [0, 1, 2])).to.deep.equal({
      cacheReadInputTokens: 0,
      cacheCreationInputTokens: 1_024,
      inputTokens: 76,
    });
    expect(cache.send(1_700, [0, 1, 3, 4])).to.deep.equal({
      cacheReadInputTokens: 1_024,
      cacheCreationInputTokens: 512,
      inputTokens: 164,
    });
  });

  it("reads only leading blocks: one that follows a new block is written again", () => {
    const cache = createPrefixCache();
    cache.send(1_024, [0, 1]);
    expect(cache.send(1_536, [0, 9, 1])).to.deep.equal({
      cacheReadInputTokens: 512,
      cacheCreationInputTokens: 1_024,
      inputTokens: 0,
    });
  });

  it("never reads more than the prompt when its last block is not full", () => {
    const cache = createPrefixCache();
    cache.send(700, [0, 1]);
    expect(cache.send(700, [0, 1])).to.deep.equal({
      cacheReadInputTokens: 700,
      cacheCreationInputTokens: 0,
      inputTokens: 0,
    });
  });

  it("splits every prompt into parts that add up, in whole blocks but for its end", () => {
    const prompts = fc.array(
      fc.record({
        promptTokens: fc.nat({ max: 5_000 }),
        blockIds: fc.array(fc.nat({ max: 12 }), { maxLength: 12 }),
      }),
    );
    fc.assert(
      fc.property(prompts, (sent) => {
        const cache = createPrefixCache();
        for (const { promptTokens, blockIds } of sent) {
          const split = cache.send(promptTokens, blockIds);
          const { inputTokens, cacheCreationInputTokens, cacheReadInputTokens } = split;
          expect(inputTokens + cacheCreationInputTokens + cacheReadInputTokens).to.equal(
            promptTokens,
          );
          expect(Math.min(inputTokens, cacheCreationInputTokens, cacheReadInputTokens)).to.be.gte(
            0,
          );
          expect(cacheCreationInputTokens % BLOCK_TOKENS).to.equal(0);
          expect(inputTokens).to.be.lessThan(BLOCK_TOKENS);
        }
      }),
    );
  });
});
