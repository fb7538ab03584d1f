/**
 * StreamRecordUsage against RecordUsage unary, in turns on one server: four streams under way at
 * once, with and without the record in the answers, against 256 unary calls in flight.
 */
import pg from "pg";
import { measureUnary, prepareCatalog } from "./record-load.js";
import { measureStreams } from "./stream-load.js";
import { type Comparison, report } from "./support/report.js";
import { startServer } from "./support/server.js";
import { median } from "./support/statistics.js";

const ROUNDS = 3;

/** Runs the benchmark; returns whether every floor of it was met. */
export async function benchStream(): Promise<boolean> {
  const server = await startServer();
  const client = new pg.Client(server.connection);
  await client.connect();
  try {
    await prepareCatalog(server.address);
    const unary: number[] = [];
    const full: number[] = [];
    const brief: number[] = [];
    await measureUnary(server.address, client);
    for (let round = 1; round <= ROUNDS; round += 1) {
      process.stdout.write(`stream: round ${round} of ${ROUNDS}\n`);
      unary.push(await measureUnary(server.address, client));
      full.push(await measureStreams(server.address, client, { omitRecord: false }));
      brief.push(await measureStreams(server.address, client, { omitRecord: true }));
    }
    return await report("stream", [
      compare("StreamRecordUsage, 4 streams", full, unary),
      compare("StreamRecordUsage, 4 streams, omit_record", brief, unary),
    ]);
  } finally {
    await client.end();
    await server.stop();
  }
}

function compare(
  name: string,
  runs: readonly number[],
  baselineRuns: readonly number[],
): Comparison {
  return {
    name,
    unit: "records/s",
    runs,
    baselineName: "RecordUsage unary, 256 in flight",
    baselineRuns,
    ratio: median(runs) / median(baselineRuns),
    floor: 2,
    aim: 4,
  };
}
