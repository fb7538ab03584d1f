import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runProgram } from "./run-program.js";

/** A load of calls. */
export interface H2Load {
  readonly address: string;
  /** "/tally.v1.UsageRecorder/RecordUsage". */
  readonly path: string;
  /**
   * What each process sends as the body of every call: one message of {@link framed} for a unary
   * call, any number for a stream of requests.
   */
  readonly bodies: readonly Uint8Array[];
  /** Calls of each process. */
  readonly callsPerProcess: number;
  /** Calls under way at once, per process. */
  readonly concurrency: number;
  /** Connections of each process. Default 1. */
  readonly connections?: number;
}

/** What came of a load. */
export interface H2LoadResult {
  readonly callsPerSecond: number;
  readonly calls: number;
  readonly seconds: number;
}

/**
 * Drives the load with h2load (Debian package nghttp2-client), which costs a few percent of a
 * core. It counts HTTP status 200, which gRPC errors have too: check what arrived by other means.
 */
export async function runH2Load(load: H2Load): Promise<H2LoadResult> {
  const directory = await mkdtemp(join(tmpdir(), "tally-h2load-"));
  try {
    const startedMs = performance.now();
    await Promise.all(load.bodies.map((body, index) => runOne(load, body, directory, index)));
    const seconds = (performance.now() - startedMs) / 1_000;
    const calls = load.bodies.length * load.callsPerProcess;
    return { calls, seconds, callsPerSecond: calls / seconds };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runOne(load: H2Load, body: Uint8Array, directory: string, index: number) {
  const file = join(directory, String(index));
  await writeFile(file, body);
  const connections = load.connections ?? 1;
  const { output } = await runProgram(
    "h2load",
    [
      ...["-n", String(load.callsPerProcess), "-c", String(connections)],
      ...["-m", String(Math.ceil(load.concurrency / connections)), "-d", file],
      ...["-H", "content-type: application/grpc", "-H", "te: trailers"],
      `http://${load.address}${load.path}`,
    ],
    { debianPackage: "nghttp2-client" },
  );
  const [, succeeded] = /(\d+) succeeded/.exec(output) ?? [];
  if (Number(succeeded) !== load.callsPerProcess) throw new Error(`h2load:\n${output}`);
}

/** A gRPC message: a flag for no compression, the length, the bytes. */
export function framed(message: Uint8Array): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
