import { mergeSketches, readSketch, type Sketch } from "./sketch.js";

/** Sums of records; money in nano-USD. */
export interface UsageFigures {
  readonly requests: bigint;
  readonly failures: bigint;
  readonly attempts: bigint;
  readonly failedAttempts: bigint;
  readonly inputTokens: bigint;
  readonly outputTokens: bigint;
  readonly cacheCreationTokens: bigint;
  readonly cacheReadTokens: bigint;
  readonly costInput: bigint;
  readonly costOutput: bigint;
  readonly costCacheCreation: bigint;
  readonly costCacheRead: bigint;
  readonly costRequest: bigint;
  readonly actualCost: bigint;
  readonly responseTimeMsSum: bigint;
  readonly firstByteTimeMsSum: bigint;
  readonly responseTimes: Sketch;
  readonly firstByteTimes: Sketch;
}

/** Each number and its SQL over the columns of rollups, `failed` among them. */
export const FIGURE_SQL = {
  requests: "sum_bigint(requests)",
  failures: "sum_bigint(requests) filter (where failed)",
  attempts: "sum_bigint(attempts)",
  failedAttempts: "sum_bigint(attempts) filter (where failed)",
  inputTokens: "sum_bigint(input_tokens)",
  outputTokens: "sum_bigint(output_tokens)",
  cacheCreationTokens: "sum_bigint(cache_creation_tokens)",
  cacheReadTokens: "sum_bigint(cache_read_tokens)",
  costInput: "sum_bigint(cost_input)",
  costOutput: "sum_bigint(cost_output)",
  costCacheCreation: "sum_bigint(cost_cache_creation)",
  costCacheRead: "sum_bigint(cost_cache_read)",
  costRequest: "sum_bigint(cost_request)",
  actualCost: "sum_bigint(actual_cost)",
  responseTimeMsSum: "sum_bigint(response_time_ms_sum)",
  firstByteTimeMsSum: "sum_bigint(first_byte_time_ms_sum)",
} as const;

/** The name of a number among the figures. */
export type FigureName = keyof typeof FIGURE_SQL;

/** All of them, in one order. */
export const FIGURE_NAMES = Object.keys(FIGURE_SQL) as FigureName[];

/** A row with every figure under its name; sketches as the database writes them. */
export type FiguresRow = Readonly<Record<FigureName, bigint>> & {
  readonly responseTimes?: string | null;
  readonly firstByteTimes?: string | null;
};

const NO_FIGURES = Object.fromEntries(FIGURE_NAMES.map((name) => [name, 0n])) as Record<
  FigureName,
  bigint
>;

/** What nothing adds up to. */
export const ZERO_FIGURES: UsageFigures = {
  ...NO_FIGURES,
  responseTimes: new Map(),
  firstByteTimes: new Map(),
};

/** Reads a row. */
export function fromFiguresRow(row: FiguresRow): UsageFigures {
  const numbers = Object.fromEntries(FIGURE_NAMES.map((name) => [name, row[name]]));
  return {
    ...(numbers as Record<FigureName, bigint>),
    responseTimes: readSketch(row.responseTimes ?? null),
    firstByteTimes: readSketch(row.firstByteTimes ?? null),
  };
}

/** Adds up. */
export function sumFigures(all: readonly UsageFigures[]): UsageFigures {
  const numbers = { ...NO_FIGURES };
  for (const figures of all) for (const name of FIGURE_NAMES) numbers[name] += figures[name];
  return {
    ...numbers,
    responseTimes: mergeSketches(all.map(({ responseTimes }) => responseTimes)),
    firstByteTimes: mergeSketches(all.map(({ firstByteTimes }) => firstByteTimes)),
  };
}

/** Tokens of all kinds. */
export function totalTokens(figures: UsageFigures): bigint {
  return (
    figures.inputTokens +
    figures.outputTokens +
    figures.cacheCreationTokens +
    figures.cacheReadTokens
  );
}

/** Cost by the price list, nano-USD. */
export function totalCost(figures: UsageFigures): bigint {
  return (
    figures.costInput +
    figures.costOutput +
    figures.costCacheCreation +
    figures.costCacheRead +
    figures.costRequest
  );
}
