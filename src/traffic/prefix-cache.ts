import { createBlockSet } from "./block-set.js";

/** Tokens in one block of a prompt, the unit in which prompt caches work. */
export const BLOCK_TOKENS = 512;

/** A prompt's tokens by what they cost; the three add up to the prompt. */
export interface PromptTokens {
  /** Neither read from the cache nor written to it. */
  readonly inputTokens: number;
  readonly cacheCreationInputTokens: number;
  readonly cacheReadInputTokens: number;
}

/** A prompt cache that never forgets, as the published traces assume. */
export interface PrefixCache {
  /**
   * Sends a prompt through the cache: its leading blocks that were seen before are read, its
   * other full blocks are written, what remains is plain input.
   *
   * @param promptTokens length of the prompt, 0 or more
   * @param blockIds one id for each block of 512 tokens, the last one possibly not full; the
   *   same id stands for the same text up to and including that block
   */
  send(promptTokens: number, blockIds: readonly number[]): PromptTokens;
}

/** Makes an empty cache. */
export function createPrefixCache(): PrefixCache {
  const seen = createBlockSet();
  return {
    send(promptTokens, blockIds) {
      const firstNew = blockIds.findIndex((id) => !seen.has(id));
      const hits = firstNew === -1 ? blockIds.length : firstNew;
      for (const id of blockIds) seen.add(id);
      return splitPrompt(promptTokens, hits);
    },
  };
}

/** Splits a prompt of which so many leading blocks are in the cache. */
export function splitPrompt(promptTokens: number, hitBlocks: number): PromptTokens {
  const fullBlocks = Math.floor(promptTokens / BLOCK_TOKENS);
  // A hit on the last block, which may not be full, cannot read more than there is.
  const cacheReadInputTokens = Math.min(hitBlocks * BLOCK_TOKENS, promptTokens);
  const cacheCreationInputTokens = Math.max(0, fullBlocks - hitBlocks) * BLOCK_TOKENS;
  return {
    inputTokens: promptTokens - cacheReadInputTokens - cacheCreationInputTokens,
    cacheCreationInputTokens,
    cacheReadInputTokens,
  };
}
