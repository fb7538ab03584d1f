import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import { AZURE_COLUMNS, readAzureTrace } from "./azure.js";
import { readMooncakeTrace } from "./mooncake.js";
import type { PlannedRequest } from "./planned-request.js";
import { TraceError } from "./trace-error.js";
import { createTracePlanner, type TraceRow } from "./trace-row.js";

/** The formats of traces that can be replayed. */
export const TRACE_FORMATS = ["mooncake", "azure"] as const;

/** A format of traces that can be replayed. */
export type TraceFormat = (typeof TRACE_FORMATS)[number];

/** A trace that is ready to be replayed. */
export interface Trace {
  readonly format: TraceFormat;
  /** Format and a hash of the file's beginning: the start of every request id. */
  readonly traceId: string;
  /** The requests in the order of the file. @throws TraceError while it is read */
  requests(): AsyncGenerator<PlannedRequest>;
}

const READERS: Record<TraceFormat, (file: string) => AsyncGenerator<TraceRow>> = {
  mooncake: readMooncakeTrace,
  azure: readAzureTrace,
};

/** How much of the file makes its id: a trace that grows beyond it keeps its id. */
const HEAD_BYTES = 64 * 1024;

/**
 * Looks at the beginning of a trace: which format it is in, and which id it has. A request's
 * id is the trace's id and its line, so that a second replay repeats the ids of the first.
 *
 * @param format undefined: told by the first line
 * @throws TraceError when the format cannot be told; a system error when the file cannot be read
 */
export async function openTrace(file: string, format?: TraceFormat): Promise<Trace> {
  const head = await readHead(file);
  const known = format ?? detectFormat(head.toString("utf8"));
  if (known === undefined) {
    const problem = "neither a Mooncake trace (JSON lines) nor an Azure one (CSV with a header)";
    throw new TraceError({ file, line: 1 }, problem);
  }
  const hash = createHash("sha256").update(head).digest("hex").slice(0, 12);
  const traceId = `${known}-${hash}`;
  return {
    format: known,
    traceId,
    async *requests() {
      const plan = createTracePlanner(traceId, { trace: known });
      for await (const row of READERS[known](file)) yield plan(row);
    },
  };
}

/** The format that a file beginning with this text is in, if it is one of ours. */
export function detectFormat(head: string): TraceFormat | undefined {
  const first = head.trimStart().split("\n", 1)[0] ?? "";
  if (first.startsWith("{")) return "mooncake";
  return AZURE_COLUMNS.some((column) => first.includes(column)) ? "azure" : undefined;
}

async function readHead(file: string): Promise<Buffer> {
  const handle = await open(file);
  try {
    return await readFully(handle, Buffer.alloc(HEAD_BYTES));
  } finally {
    await handle.close();
  }
}

/** A read may give less than there is, so it is repeated until the buffer or the file ends. */
async function readFully(handle: FileHandle, buffer: Buffer): Promise<Buffer> {
  let filled = 0;
  for (let bytesRead = 1; bytesRead > 0 && filled < buffer.length; filled += bytesRead) {
    ({ bytesRead } = await handle.read(buffer, filled, buffer.length - filled));
  }
  return buffer.subarray(0, filled);
}
