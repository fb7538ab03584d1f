import { MAX_CONTEXT_TOKENS } from "../conversation.js";
import { FAILURES } from "../failures.js";
import type { Caller } from "../generator.js";
import { modelFor, type TrafficModel } from "../models.js";
import { createPrng, type Prng } from "../prng.js";
import { callerPicker } from "./callers.js";
import { busyHours, type HistorySpan } from "./hours.js";

/** A finished request of a history; tokens of its prompt are told apart by what the cache had. */
export interface HistoricRequest {
  readonly requestId: string;
  readonly userId: string;
  readonly apiKeyId: string;
  readonly provider: string;
  readonly model: string;
  readonly apiFormat: string;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly cacheCreationInputTokens: number;
  readonly cacheReadInputTokens: number;
  readonly isStream: boolean;
  /** When it arrived, milliseconds since 1970. */
  readonly createTimeMs: number;
  readonly responseTimeMs: number;
  /** Unset for requests that were refused. */
  readonly firstByteTimeMs: number | undefined;
  readonly statusCode: number;
  readonly errorMessage: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** What decides a history: the same options make the same requests. */
export interface HistoryOptions extends HistorySpan {
  /** 0 to 2^32 - 1. */
  readonly seed: number;
  /** At least one. */
  readonly callers: readonly Caller[];
}

/** Somebody's conversation with a model, which goes on while its context is not too long. */
interface Conversation {
  readonly caller: Caller;
  readonly apiKeyId: string;
  readonly model: TrafficModel;
  readonly tags: Readonly<Record<string, string>>;
  contextTokens: number;
  lastMs: number;
}

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const CONTINUE_CHANCE = 0.7;
/** Between two turns of a conversation, on the average. */
const TURN_GAP_MS = 4 * MINUTE_MS;
const MAX_OPEN = 2_000;
const CACHE_TTL_MS = 5 * MINUTE_MS;
/** Prompts shorter than this are not cached by anybody. */
const MIN_CACHED_TOKENS = 1_024;
const FAILURE_CHANCE = 0.015;
const STREAM_CHANCE = 0.8;
const APPS = ["chat", "ide", "batch", "search"];
const APP_CHANCE = 0.5;
const FIRST_MESSAGE = { medianTokens: 1_800, sigma: 1.1 };
const NEXT_MESSAGE = { medianTokens: 350, sigma: 1.1 };
const ANSWER = { medianTokens: 320, sigma: 0.8, maxTokens: 4_000 };

/**
 * Makes the requests of a history in the order of their arrival: busy and quiet hours, a few users
 * who send most of it, conversations whose prompts come out of the provider's cache while they go on
 * quickly, and 1.5 % failures. It holds no more than an hour's arrivals in memory.
 */
export function* historicRequests(options: HistoryOptions): Generator<HistoricRequest> {
  const prng = createPrng(options.seed);
  const pickCaller = callerPicker(prng, options.callers);
  const open: Conversation[] = [];
  let number = 0;
  for (const { startMs, requests } of busyHours(options)) {
    // So many that each of them has its turn once in a while.
    const wanted = Math.ceil((requests * TURN_GAP_MS) / HOUR_MS);
    open.splice(0, open.length - Math.min(wanted, MAX_OPEN));
    for (const createTimeMs of arrivals(prng, startMs, requests)) {
      number += 1;
      const conversation = pickConversation(prng, open, wanted, pickCaller);
      yield toRequest(prng, conversation, createTimeMs, `h${options.seed}-${number}`);
    }
  }
}

function arrivals(prng: Prng, startMs: number, count: number): Float64Array {
  const times = new Float64Array(count);
  for (let index = 0; index < count; index += 1) {
    times[index] = startMs + Math.floor(prng.fraction() * HOUR_MS);
  }
  return times.sort();
}

function pickConversation(
  prng: Prng,
  open: Conversation[],
  wanted: number,
  pickCaller: () => Caller,
): Conversation {
  if (open.length > 0 && prng.chance(CONTINUE_CHANCE)) {
    const index = prng.integer(0, open.length - 1);
    const chosen = open[index]!;
    if (chosen.contextTokens < MAX_CONTEXT_TOKENS) return chosen;
    open.splice(index, 1);
  }
  const caller = pickCaller();
  const { team } = caller;
  const started = {
    caller,
    apiKeyId: prng.pick(caller.apiKeyIds),
    model: modelFor(prng.nextUint32()),
    tags: prng.chance(APP_CHANCE) ? { team, app: prng.pick(APPS) } : { team },
    contextTokens: 0,
    lastMs: 0,
  };
  if (open.length < Math.min(wanted, MAX_OPEN)) open.push(started);
  else open[prng.integer(0, open.length - 1)] = started;
  return started;
}

function toRequest(
  prng: Prng,
  conversation: Conversation,
  createTimeMs: number,
  requestId: string,
): HistoricRequest {
  const { caller, apiKeyId, model, tags } = conversation;
  const prompt = nextPrompt(prng, conversation, createTimeMs);
  const promptTokens =
    prompt.inputTokens + prompt.cacheCreationInputTokens + prompt.cacheReadInputTokens;
  const outputTokens = Math.min(
    ANSWER.maxTokens,
    Math.ceil(prng.logNormal(ANSWER.medianTokens, ANSWER.sigma)),
  );
  const firstByteTimeMs = Math.round(150 + promptTokens / 60 + prng.exponential(250));
  const common = {
    requestId,
    userId: caller.userId,
    apiKeyId,
    provider: model.provider,
    model: model.model,
    apiFormat: model.apiFormat,
    isStream: prng.chance(STREAM_CHANCE),
    createTimeMs,
    tags,
  };
  if (prng.chance(FAILURE_CHANCE)) {
    const { isPromptCounted, ...failure } = prng.pick(FAILURES);
    const tokens = isPromptCounted ? prompt : NO_PROMPT;
    const timing = { responseTimeMs: firstByteTimeMs, firstByteTimeMs: undefined };
    return { ...common, ...tokens, outputTokens: 0, ...timing, ...failure };
  }
  conversation.contextTokens = promptTokens + outputTokens;
  conversation.lastMs = createTimeMs;
  return {
    ...common,
    ...prompt,
    outputTokens,
    responseTimeMs: firstByteTimeMs + Math.round(outputTokens * (6 + 14 * prng.fraction())),
    firstByteTimeMs,
    statusCode: 200,
    errorMessage: "",
  };
}

type Prompt = Pick<
  HistoricRequest,
  "inputTokens" | "cacheCreationInputTokens" | "cacheReadInputTokens"
>;

const NO_PROMPT: Prompt = {
  inputTokens: 0,
  cacheCreationInputTokens: 0,
  cacheReadInputTokens: 0,
};

/** What was said before comes out of the cache if that was not long ago. */
function nextPrompt(prng: Prng, conversation: Conversation, nowMs: number): Prompt {
  const { contextTokens, lastMs, model } = conversation;
  const shape = contextTokens === 0 ? FIRST_MESSAGE : NEXT_MESSAGE;
  const message = Math.ceil(prng.logNormal(shape.medianTokens, shape.sigma));
  const promptTokens = Math.min(contextTokens + message, MAX_CONTEXT_TOKENS);
  if (promptTokens < MIN_CACHED_TOKENS) return { ...NO_PROMPT, inputTokens: promptTokens };
  const isWarm = contextTokens >= MIN_CACHED_TOKENS && nowMs - lastMs <= CACHE_TTL_MS;
  const read = isWarm ? Math.min(contextTokens, promptTokens) : 0;
  const rest = promptTokens - read;
  // Only Anthropic charges for writing, and what is written is not counted as input.
  const written = model.apiFormat === "CLAUDE" ? Math.floor(rest * 0.9) : 0;
  return {
    inputTokens: rest - written,
    cacheCreationInputTokens: written,
    cacheReadInputTokens: read,
  };
}
