import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { framed } from "./h2load.js";
import { runProgram } from "./run-program.js";
import { quantile } from "./statistics.js";

/** A load of unary calls that lasts for a time. */
export interface TimedLoad {
  readonly address: string;
  /** "/tally.v1.QuotaChecker/CheckQuota". */
  readonly path: string;
  /** One message for each h2load process, which sends it again and again on one connection. */
  readonly messages: readonly Uint8Array[];
  readonly seconds: number;
  /** Calls under way at once, over all processes. */
  readonly inFlight: number;
  /** Calls a second over all processes; unset: as many as are answered. */
  readonly callsPerSecond?: number;
  /** Smallest answer that is a good one, in bytes; errors and denials are smaller. */
  readonly minAnswerBytes: number;
}

/** What came of it. */
export interface TimedLoadResult {
  readonly callsPerSecond: number;
  /** Latency that 99 of 100 calls did not pass, milliseconds. */
  readonly p99Ms: number;
  /** Processor time that the load took, in cores. */
  readonly loadCores: number;
}

/** Until reservations of the load end as fast as they are made, and leases have their size. */
const WARM_UP_SECONDS = 4;
const FRAME_BYTES = 5;

/**
 * Drives the load with h2load (Debian package nghttp2-client) for `seconds` after some that do
 * not count. HTTP status 200 says nothing of gRPC: the answers are told apart by their size.
 *
 * @throws when calls failed, or were answered with too little
 */
export async function runTimedLoad(load: TimedLoad): Promise<TimedLoadResult> {
  const directory = await mkdtemp(join(tmpdir(), "tally-h2load-"));
  try {
    const runs = await Promise.all(
      load.messages.map((message, index) => runOne(load, message, join(directory, String(index)))),
    );
    const sum = (of: (run: (typeof runs)[number]) => number) =>
      runs.reduce((total, run) => total + of(run), 0);
    return {
      callsPerSecond: sum(({ callsPerSecond }) => callsPerSecond),
      p99Ms: quantile(
        runs.flatMap(({ latenciesMs }) => latenciesMs),
        0.99,
      ),
      loadCores: sum(({ processorSeconds }) => processorSeconds) / (load.seconds + WARM_UP_SECONDS),
    };
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function runOne(load: TimedLoad, message: Uint8Array, file: string) {
  await writeFile(`${file}.body`, framed(message));
  const processes = load.messages.length;
  const rate = load.callsPerSecond ?? 0;
  const { output, processorSeconds } = await runProgram(
    "h2load",
    [
      ...["-D", String(load.seconds), "--warm-up-time", String(WARM_UP_SECONDS), "-c", "1"],
      ...["-m", String(Math.ceil(load.inFlight / processes)), "-d", `${file}.body`],
      ...(rate === 0 ? [] : ["--rps", String(Math.max(1, Math.round(rate / processes)))]),
      ...["--log-file", `${file}.log`],
      ...["-H", "content-type: application/grpc", "-H", "te: trailers"],
      `http://${load.address}${load.path}`,
    ],
    { debianPackage: "nghttp2-client" },
  );
  const [, succeeded = 0, failed = 0, errored = 0] = (
    /(\d+) succeeded, (\d+) failed, (\d+) errored/.exec(output) ?? []
  ).map(Number);
  const [, dataBytes = 0] = (/\((\d+)\) data/.exec(output) ?? []).map(Number);
  const isSmall = dataBytes < succeeded * (load.minAnswerBytes + FRAME_BYTES);
  if (succeeded === 0 || failed + errored > 0 || isSmall) {
    throw new Error(`${load.path}: some calls failed or were denied; h2load:\n${output}`);
  }
  return {
    callsPerSecond: succeeded / load.seconds,
    processorSeconds,
    latenciesMs: await readLatencies(`${file}.log`),
  };
}

/** Lines of: start, status, microseconds until the end of the response. */
async function readLatencies(file: string): Promise<number[]> {
  const lines = (await readFile(file, "utf8")).trimEnd().split("\n");
  return lines.map((line) => Number(line.split("\t")[2]) / 1_000);
}
