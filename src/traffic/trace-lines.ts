import { createReadStream } from "node:fs";
import { TraceError } from "./trace-error.js";

/** One line of a text file. */
export interface TraceLine {
  /** Its number, from 1. */
  readonly line: number;
  /** Its text, without the line break. Never blank. */
  readonly text: string;
}

/** Options of {@link readTraceLines}. */
export interface TraceLinesOptions {
  /** Longest line that is accepted, bytes. Default 1 MiB, some 150,000 block ids. */
  readonly maxLineBytes?: number;
}

const DEFAULT_MAX_LINE_BYTES = 1024 * 1024;
const LINE_FEED = 0x0a;

/**
 * Reads a UTF-8 file line by line in constant memory, whatever its size; blank lines are
 * counted and left out.
 *
 * @throws TraceError on a line that is too long or no UTF-8; a system error when the file
 *   cannot be read
 */
export async function* readTraceLines(
  file: string,
  options: TraceLinesOptions = {},
): AsyncGenerator<TraceLine> {
  const maxBytes = options.maxLineBytes ?? DEFAULT_MAX_LINE_BYTES;
  let line = 0;
  for await (const bytes of splitLines(createReadStream(file), maxBytes)) {
    line += 1;
    if (bytes === undefined) {
      throw new TraceError({ file, line }, `the line is longer than ${maxBytes} bytes`);
    }
    const text = decode(bytes, { file, line }).trim();
    if (text !== "") yield { line, text };
  }
}

/** The bytes between line feeds; undefined, and the end, for a line of more than `maxBytes`. */
async function* splitLines(
  chunks: AsyncIterable<Buffer>,
  maxBytes: number,
): AsyncGenerator<Buffer | undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    let text = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    for (let end = text.indexOf(LINE_FEED); end !== -1; end = text.indexOf(LINE_FEED)) {
      yield end > maxBytes ? undefined : text.subarray(0, end);
      text = text.subarray(end + 1);
    }
    rest = text;
    if (rest.length > maxBytes) return yield undefined;
  }
  if (rest.length > 0) yield rest;
}

function decode(bytes: Buffer, position: { file: string; line: number }): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new TraceError(position, "the line is not valid UTF-8");
  }
}
