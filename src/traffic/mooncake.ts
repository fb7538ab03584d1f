import { MAX_TOKENS } from "../pricing/tokens.js";
import { TraceError, type TracePosition, traceFieldError } from "./trace-error.js";
import { readTraceLines } from "./trace-lines.js";
import type { TraceRow } from "./trace-row.js";

/**
 * Reads a trace in the format of Mooncake (FAST '25): one JSON object a line with `timestamp`
 * (ms since the start), `input_length` and `output_length` (tokens), and `hash_ids` (one id for
 * each block of 512 input tokens). The first id is a prompt that nearly all share; the second
 * tells conversations apart.
 *
 * @throws TraceError naming the line, the field and its value
 */
export async function* readMooncakeTrace(file: string): AsyncGenerator<TraceRow> {
  for await (const { line, text } of readTraceLines(file)) {
    yield parseMooncakeRow(text, { file, line });
  }
}

/** Reads one line. @throws TraceError */
export function parseMooncakeRow(text: string, position: TracePosition): TraceRow {
  const row = parseObject(text, position);
  const blockIds = blockIdsOf(row, position);
  return {
    line: position.line,
    offsetMs: Math.round(numberOf(row, "timestamp", position)),
    promptTokens: tokensOf(row, "input_length", position),
    outputTokens: tokensOf(row, "output_length", position),
    blockIds,
    conversation: blockIds[1] ?? blockIds[0] ?? 0,
  };
}

function parseObject(text: string, position: TracePosition): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TraceError(position, "the line is not valid JSON");
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new TraceError(position, "the line is no JSON object");
}

function numberOf(row: Record<string, unknown>, field: string, position: TracePosition): number {
  const value = row[field];
  if (typeof value === "number" && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw traceFieldError(position, field, { value, rule: "must be a number of 0 or more" });
}

function tokensOf(row: Record<string, unknown>, field: string, position: TracePosition): number {
  const value = row[field];
  if (Number.isInteger(value) && Number(value) >= 0 && Number(value) <= MAX_TOKENS) {
    return Number(value);
  }
  const rule = `must be a whole number from 0 to ${MAX_TOKENS}`;
  throw traceFieldError(position, field, { value, rule });
}

function blockIdsOf(row: Record<string, unknown>, position: TracePosition): number[] {
  const { hash_ids: ids } = row;
  if (!Array.isArray(ids)) {
    throw traceFieldError(position, "hash_ids", {
      value: ids,
      rule: "must be a list of block ids",
    });
  }
  const bad = ids.findIndex((id) => !Number.isSafeInteger(id) || id < 0);
  if (bad === -1) return ids;
  const rule = `must be a whole number from 0 to ${Number.MAX_SAFE_INTEGER}`;
  throw traceFieldError(position, `hash_ids[${bad}]`, { value: ids[bad], rule });
}
