import { createArrivals } from "./arrivals.js";
import { type Conversation, createConversation, type Turn } from "./conversation.js";
import { FAILURES } from "./failures.js";
import { modelFor, type TrafficModel } from "./models.js";
import type { PlannedRequest } from "./planned-request.js";
import { createPrefixCache, type PrefixCache } from "./prefix-cache.js";
import { createPrng, type Prng } from "./prng.js";

/** Somebody who sends requests. */
export interface Caller {
  readonly userId: string;
  /** Keys that the caller uses, at least one. */
  readonly apiKeyIds: readonly string[];
  readonly team: string;
  /** Share of the conversations, in parts of the sum of all weights; above 0. */
  readonly weight: number;
  /** Whether some requests are given up between check and sending. */
  readonly abandons: boolean;
}

/** Options of {@link generateTraffic}. */
export interface TrafficOptions {
  /** 0 to 2^32 - 1. The same seed, count and callers make the same requests. */
  readonly seed: number;
  /** How many requests, 0 or more. */
  readonly count: number;
  /** At least one. */
  readonly callers: readonly Caller[];
  /** Mean time between two requests outside of bursts. */
  readonly meanGapMs: number;
  /** Beginning of every request id. */
  readonly idPrefix: string;
}

/** Share of requests that go on with an earlier conversation; the Mooncake trace has 39 %. */
const CONTINUE_CHANCE = 0.4;
/** Conversations that can still go on; older ones are forgotten, so memory stays bounded. */
const MAX_OPEN_CONVERSATIONS = 256;
const FAILURE_CHANCE = 0.015;
const ABANDON_CHANCE = 0.02;
const STREAM_CHANCE = 0.8;
/** What callers allow as output, in tokens. */
const OUTPUT_LIMITS = [2_048, 4_096];

/** The system prompt that everybody shares, and those that a team shares, in blocks. */
const COMMON_BLOCKS = 1;
const TEAM_BLOCKS = 3;

interface OpenConversation {
  readonly conversation: Conversation;
  readonly caller: Caller;
  readonly apiKeyId: string;
  readonly model: TrafficModel;
}

/**
 * Makes traffic of an LLM gateway with the shape of the published traces: prompts share blocks
 * of 512 tokens, conversations grow turn by turn, arrivals come in bursts, a few callers send
 * most of it, and 1.5 % of the requests fail.
 */
export function* generateTraffic(options: TrafficOptions): Generator<PlannedRequest> {
  const prng = createPrng(options.seed);
  const arrive = createArrivals(prng, options.meanGapMs);
  const conversations = createConversations(prng, options.callers);
  const caches = new Map<string, PrefixCache>();
  for (let number = 1; number <= options.count; number += 1) {
    const offsetMs = arrive();
    const open = conversations.pick();
    const turn = open.conversation.next();
    const cache = caches.get(open.model.model) ?? createPrefixCache();
    caches.set(open.model.model, cache);
    yield {
      requestId: `${options.idPrefix}-${number}`,
      offsetMs,
      userId: open.caller.userId,
      apiKeyId: open.apiKeyId,
      provider: open.model.provider,
      model: open.model.model,
      apiFormat: open.model.apiFormat,
      tags: { team: open.caller.team },
      ...drawOutcome(prng, turn, cache),
      isAbandoned: open.caller.abandons && prng.chance(ABANDON_CHANCE),
    };
  }
}

/** Draws who speaks next: somebody in an open conversation, or somebody who starts one. */
function createConversations(prng: Prng, callers: readonly Caller[]) {
  const open: OpenConversation[] = [];
  const teams = [...new Set(callers.map(({ team }) => team))];
  let blocks = COMMON_BLOCKS + TEAM_BLOCKS * teams.length;
  return { pick };

  function pick(): OpenConversation {
    if (open.length > 0 && prng.chance(CONTINUE_CHANCE)) {
      const index = prng.integer(0, open.length - 1);
      const chosen = open[index]!;
      if (!chosen.conversation.isOver()) return chosen;
      open.splice(index, 1);
    }
    const started = start(pickCaller(prng, callers));
    open.push(started);
    if (open.length > MAX_OPEN_CONVERSATIONS) open.shift();
    return started;
  }

  function start(caller: Caller): OpenConversation {
    const shared = range(0, COMMON_BLOCKS);
    shared.push(...range(COMMON_BLOCKS + TEAM_BLOCKS * teams.indexOf(caller.team), TEAM_BLOCKS));
    return {
      caller,
      apiKeyId: prng.pick(caller.apiKeyIds),
      model: modelFor(prng.nextUint32()),
      conversation: createConversation(prng, shared, () => blocks++),
    };
  }
}

function pickCaller(prng: Prng, callers: readonly Caller[]): Caller {
  const total = callers.reduce((sum, { weight }) => sum + weight, 0);
  let left = prng.fraction() * total;
  for (const caller of callers) {
    left -= caller.weight;
    if (left < 0) return caller;
  }
  // Rounding can leave a hair of the last weight.
  return callers[callers.length - 1]!;
}

type Outcome = Omit<
  PlannedRequest,
  | "requestId"
  | "offsetMs"
  | "userId"
  | "apiKeyId"
  | "provider"
  | "model"
  | "apiFormat"
  | "tags"
  | "isAbandoned"
>;

/** What the provider made of a turn: an answer with its timing, or a failure. */
function drawOutcome(prng: Prng, turn: Turn, cache: PrefixCache): Outcome {
  const firstByteTimeMs = Math.round(200 + turn.promptTokens / 50 + prng.exponential(300));
  const answerTimeMs = Math.round(turn.outputTokens * (8 + 12 * prng.fraction()));
  const common = {
    promptTokens: turn.promptTokens,
    maxOutputTokens: prng.pick(OUTPUT_LIMITS),
    isStream: prng.chance(STREAM_CHANCE),
  };
  const split = cache.send(turn.promptTokens, turn.blockIds);
  if (!prng.chance(FAILURE_CHANCE)) {
    const responseTimeMs = firstByteTimeMs + answerTimeMs;
    const { outputTokens } = turn;
    return { ...common, ...split, outputTokens, statusCode: 200, firstByteTimeMs, responseTimeMs };
  }
  const { statusCode, errorMessage, isPromptCounted } = prng.pick(FAILURES);
  const nothing = { inputTokens: 0, cacheCreationInputTokens: 0, cacheReadInputTokens: 0 };
  const counted = isPromptCounted ? split : nothing;
  return {
    ...common,
    ...counted,
    outputTokens: 0,
    statusCode,
    errorMessage,
    responseTimeMs: firstByteTimeMs,
  };
}

function range(start: number, length: number): number[] {
  return Array.from({ length }, (_, index) => start + index);
}
