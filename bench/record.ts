/**
 * RecordUsage against PostgreSQL alone, in turns on one embedded database: unary with 256 calls in
 * flight against pgbench with one transaction per record; batches of 500 against bare inserts of
 * 256 rows; one call in flight against the commit of one insert.
 */
import pg from "pg";
import {
  createBaselineTables,
  measureBareInserts,
  measureInsertCommits,
  measureTransactionPerRecord,
} from "./record-baselines.js";
import { measureBatches, measureOneInFlight, measureUnary, prepareCatalog } from "./record-load.js";
import { type Comparison, report } from "./support/report.js";
import { startServer } from "./support/server.js";
import { median } from "./support/statistics.js";

const ROUNDS = 3;

/** Runs the benchmark; returns whether every floor of it was met. */
export async function benchRecord(): Promise<boolean> {
  const server = await startServer();
  const client = new pg.Client(server.connection);
  await client.connect();
  try {
    await prepareCatalog(server.address);
    await createBaselineTables(client);
    const unary: number[] = [];
    const transactions: number[] = [];
    const batches: number[] = [];
    const inserts: number[] = [];
    const single: number[] = [];
    const empty: number[] = [];
    const commits: number[] = [];
    await measureUnary(server.address, client);
    for (let round = 1; round <= ROUNDS; round += 1) {
      process.stdout.write(`record: round ${round} of ${ROUNDS}\n`);
      transactions.push(await measureTransactionPerRecord(server.connection));
      unary.push(await measureUnary(server.address, client));
      inserts.push(await measureBareInserts(client));
      batches.push(await measureBatches(server.address, client));
      commits.push(await measureInsertCommits(client));
      const latency = await measureOneInFlight(server.address);
      single.push(latency.recordMs);
      empty.push(latency.emptyMs);
    }
    return await report("record", [
      compare("RecordUsage unary, 256 in flight", unary, {
        baselineName: "pgbench, one transaction per record, 16 clients",
        baselineRuns: transactions,
        floor: 2.5,
        aim: 4,
      }),
      compare("BatchRecordUsage of 500", batches, {
        baselineName: "insert ... select unnest of 256 rows, bare table, one connection",
        baselineRuns: inserts,
        floor: 0.5,
        aim: 0.75,
      }),
      oneInFlight(single, empty, commits),
    ]);
  } finally {
    await client.end();
    await server.stop();
  }
}

function compare(
  name: string,
  runs: readonly number[],
  rest: Pick<Comparison, "baselineName" | "baselineRuns" | "floor" | "aim">,
): Comparison {
  const ratio = median(runs) / median(rest.baselineRuns);
  return { name, unit: "records/s", runs, ratio, ...rest };
}

/** The aim is a multiple of the commit beside the empty call, so the call is taken off first. */
function oneInFlight(
  single: readonly number[],
  empty: readonly number[],
  commits: readonly number[],
): Comparison {
  return {
    name: `RecordUsage, one in flight, p50 less an empty call (p50 ${median(empty).toFixed(3)} ms)`,
    unit: "ms",
    runs: single.map((value, index) => value - empty[index]!),
    baselineName: "commit of one insert, p50",
    baselineRuns: commits,
    ratio: (median(single) - median(empty)) / median(commits),
    floor: 2,
    aim: 1.5,
    isSmallerBetter: true,
  };
}
