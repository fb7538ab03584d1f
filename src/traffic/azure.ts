import { MAX_TOKENS } from "../pricing/tokens.js";
import { TraceError, type TracePosition, traceFieldError } from "./trace-error.js";
import { readTraceLines } from "./trace-lines.js";
import type { TraceRow } from "./trace-row.js";

const TIME = "TIMESTAMP";
const PROMPT = "ContextTokens";
const OUTPUT = "GeneratedTokens";

/** The columns that a trace must have, in any order. */
export const AZURE_COLUMNS: readonly string[] = [TIME, PROMPT, OUTPUT];

/**
 * Reads a trace in the format of the Azure LLM inference traces (2023 and 2024): CSV with the
 * columns TIMESTAMP ("2023-11-16 18:17:03.9799600", UTC), ContextTokens and GeneratedTokens. It
 * tells neither caller nor cache, so each request counts as a conversation of its own.
 *
 * @throws TraceError naming the line, the column and its value
 */
export async function* readAzureTrace(file: string): AsyncGenerator<TraceRow> {
  let parse: ((text: string, position: TracePosition) => TraceRow) | undefined;
  for await (const { line, text } of readTraceLines(file)) {
    if (parse === undefined) parse = createAzureParser(text, { file, line });
    else yield parse(text, { file, line });
  }
}

/**
 * Makes a reader of rows from the header line. Offsets count from the first row that it reads.
 *
 * @throws TraceError when the header lacks a column
 */
export function createAzureParser(
  header: string,
  headerPosition: TracePosition,
): (text: string, position: TracePosition) => TraceRow {
  const names = splitCells(header);
  const missing = AZURE_COLUMNS.filter((column) => !names.includes(column));
  if (missing.length > 0) {
    throw new TraceError(headerPosition, `the header lacks ${missing.join(" and ")}`);
  }
  let firstMs: number | undefined;
  return (text, position) => {
    const cells = splitCells(text);
    const cell = (column: string) => cells[names.indexOf(column)];
    const timeMs = parseTimeMs(cell(TIME), position);
    firstMs ??= timeMs;
    return {
      line: position.line,
      offsetMs: timeMs - firstMs,
      promptTokens: parseTokens(cell(PROMPT), PROMPT, position),
      outputTokens: parseTokens(cell(OUTPUT), OUTPUT, position),
      conversation: position.line,
    };
  };
}

function splitCells(text: string): string[] {
  return text.split(",").map((cell) => cell.trim());
}

/** Date, time, up to nine decimals of which milliseconds are kept, and at most UTC as the zone. */
const TIMESTAMP = /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)?$/;

function parseTimeMs(value: string | undefined, position: TracePosition): number {
  const match = TIMESTAMP.exec(value ?? "");
  const fraction = (match?.[3] ?? "").padEnd(3, "0").slice(0, 3);
  const timeMs = match === null ? Number.NaN : Date.parse(`${match[1]}T${match[2]}.${fraction}Z`);
  if (!Number.isNaN(timeMs)) return timeMs;
  const rule = "must be a time such as 2023-11-16 18:17:03.979";
  throw traceFieldError(position, TIME, { value, rule });
}

function parseTokens(value: string | undefined, column: string, position: TracePosition): number {
  const tokens = /^\d{1,13}$/.test(value ?? "") ? Number(value) : Number.NaN;
  if (tokens <= MAX_TOKENS) return tokens;
  const rule = `must be a whole number from 0 to ${MAX_TOKENS}`;
  throw traceFieldError(position, column, { value, rule });
}
