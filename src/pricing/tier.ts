import type { PriceTier } from "./price.js";
import type { TokenCounts } from "./tokens.js";

/** Anthropic's own formats, as gateways spell them: CLAUDE, CLAUDE_CHAT, claude:cli, Claude-CLI. */
const CLAUDE_FORMAT = /^claude(?:[_:-](?:chat|cli))?$/i;

/** The part of the token counts that a tier depends on. */
export type ContextTokens = Pick<
  TokenCounts,
  "inputTokens" | "cacheCreationInputTokens" | "cacheReadInputTokens"
>;

/** Whether an API format counts cache writes as context; letter case does not matter. */
export function isClaudeFormat(apiFormat: string): boolean {
  return CLAUDE_FORMAT.test(apiFormat);
}

/**
 * Total input context in tokens, which chooses the tier: input + cache read, and for CLAUDE
 * formats input + cache creation + cache read.
 */
export function contextTokens(tokens: ContextTokens, apiFormat = ""): number {
  const context = tokens.inputTokens + tokens.cacheReadInputTokens;
  return isClaudeFormat(apiFormat) ? context + tokens.cacheCreationInputTokens : context;
}

/**
 * Index of the tier that prices a request of so much context: the first whose border is not
 * below it or that has none; above all borders the last.
 *
 * @throws RangeError when there is no tier
 */
export function selectTierIndex(tiers: readonly PriceTier[], context: number): number {
  if (tiers.length === 0) throw new RangeError("tiers: must have at least one entry");
  const index = tiers.findIndex(
    ({ upToTokens }) => upToTokens === undefined || context <= upToTokens,
  );
  return index === -1 ? tiers.length - 1 : index;
}
