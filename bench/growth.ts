/** Recording and analytics on a small and on a large history, each on a server of its own, in turns. */
import pg from "pg";
import { historyEndMs } from "./analytics.js";
import { createAnalyticsClient, measureQuestion } from "./analytics-load.js";
import { questions } from "./analytics-questions.js";
import { measureUnary, prepareCatalog } from "./record-load.js";
import { startHistoryServer } from "./support/history-server.js";
import { type Comparison, report } from "./support/report.js";
import type { BenchServer } from "./support/server.js";
import { median } from "./support/statistics.js";

const ROUNDS = 3;
const DEFAULT_RECORDS = 10_000_000;
/** The large history has a hundred times as many records as the small one. */
const FACTOR = 100;
const HISTORY = { users: 1_000, days: 364 };

/** One server's figures, of every round. */
interface Measured {
  readonly server: BenchServer;
  readonly database: pg.Client;
  readonly recordsPerSecond: number[];
  /** By the question's number. */
  readonly p50Ms: number[][];
}

/** Runs the benchmark; returns whether every floor of it was met. */
export async function benchGrowth({ records = DEFAULT_RECORDS } = {}): Promise<boolean> {
  const opened: Measured[] = [];
  try {
    for (const size of [Math.ceil(records / FACTOR), records]) {
      process.stdout.write(`growth: making ${size.toLocaleString("en")} records\n`);
      opened.push(await open(size));
    }
    const [small, large] = opened as [Measured, Measured];
    for (let round = 1; round <= ROUNDS; round += 1) {
      process.stdout.write(`growth: round ${round} of ${ROUNDS}\n`);
      for (const measured of [small, large]) await measure(measured);
    }
    return await report("growth", compare(small, large, records));
  } finally {
    for (const { server, database } of opened) {
      await database.end();
      await server.stop();
    }
  }
}

async function open(records: number): Promise<Measured> {
  const server = await startHistoryServer({ ...HISTORY, records });
  const database = new pg.Client(server.connection);
  await database.connect();
  await prepareCatalog(server.address);
  await measureUnary(server.address, database);
  return { server, database, recordsPerSecond: [], p50Ms: [] };
}

async function measure({ server, database, recordsPerSecond, p50Ms }: Measured): Promise<void> {
  const client = createAnalyticsClient(server.address);
  try {
    for (const [index, question] of questions(historyEndMs()).entries()) {
      p50Ms[index] ??= [];
      p50Ms[index].push((await measureQuestion(client, question)).p50Ms);
    }
  } finally {
    client.close();
  }
  recordsPerSecond.push(await measureUnary(server.address, database));
}

function compare(small: Measured, large: Measured, records: number): Comparison[] {
  const baselineName = `the same on ${Math.ceil(records / FACTOR).toLocaleString("en")} records`;
  const recording: Comparison = {
    name: `RecordUsage unary, 256 in flight, on ${records.toLocaleString("en")} records`,
    unit: "records/s",
    runs: large.recordsPerSecond,
    baselineName,
    baselineRuns: small.recordsPerSecond,
    ratio: median(large.recordsPerSecond) / median(small.recordsPerSecond),
    floor: 0.85,
    aim: 1,
  };
  const asked = questions(historyEndMs()).map(({ name }, index): Comparison => {
    const [runs, baselineRuns] = [large.p50Ms[index]!, small.p50Ms[index]!];
    return {
      name: `${name}, p50`,
      unit: "ms",
      runs,
      baselineName,
      baselineRuns,
      ratio: median(runs) / median(baselineRuns),
      floor: 2,
      aim: 1,
      isSmallerBetter: true,
    };
  });
  return [recording, ...asked];
}
