import { BLOCK_TOKENS } from "./prefix-cache.js";
import type { Prng } from "./prng.js";

/** What a conversation sends at one of its turns. */
export interface Turn {
  /** Length of the prompt, everything said before included. */
  readonly promptTokens: number;
  /** One id for each block of 512 tokens of the prompt, the last one possibly not full. */
  readonly blockIds: readonly number[];
  readonly outputTokens: number;
}

/** A conversation, whose context grows with every turn. */
export interface Conversation {
  next(): Turn;
  /** Whether the context has grown so long that nobody goes on with it. */
  isOver(): boolean;
}

/** How long contexts get before conversations end; the longest of the published traces. */
export const MAX_CONTEXT_TOKENS = 120_000;

/** Medians and spreads of the lengths, near those of the Mooncake trace. */
const FIRST_MESSAGE = { medianTokens: 3_000, sigma: 1.2 };
const NEXT_MESSAGE = { medianTokens: 400, sigma: 1.1 };
const ANSWER = { medianTokens: 350, sigma: 0.8, maxTokens: 2_000 };

/**
 * Starts a conversation.
 *
 * @param sharedBlockIds full blocks that other conversations begin with too: system prompts
 * @param newBlockId gives ids that no other block has
 */
export function createConversation(
  prng: Prng,
  sharedBlockIds: readonly number[],
  newBlockId: () => number,
): Conversation {
  const fullBlockIds = [...sharedBlockIds];
  let contextTokens = sharedBlockIds.length * BLOCK_TOKENS;
  let message = FIRST_MESSAGE;
  return {
    next() {
      const messageTokens = Math.ceil(prng.logNormal(message.medianTokens, message.sigma));
      const promptTokens = Math.min(contextTokens + messageTokens, MAX_CONTEXT_TOKENS);
      const outputTokens = drawAnswerTokens(prng);
      while (fullBlockIds.length < Math.floor(promptTokens / BLOCK_TOKENS)) {
        fullBlockIds.push(newBlockId());
      }
      const hasPartialBlock = promptTokens % BLOCK_TOKENS > 0;
      const blockIds = hasPartialBlock ? [...fullBlockIds, newBlockId()] : [...fullBlockIds];
      contextTokens = promptTokens + outputTokens;
      message = NEXT_MESSAGE;
      return { promptTokens, blockIds, outputTokens };
    },
    isOver: () => contextTokens >= MAX_CONTEXT_TOKENS,
  };
}

function drawAnswerTokens(prng: Prng): number {
  const tokens = Math.ceil(prng.logNormal(ANSWER.medianTokens, ANSWER.sigma));
  return Math.min(tokens, ANSWER.maxTokens);
}
