/**
 * Questions about a year of usage by 1,000 users, against the same questions in plain SQL over the
 * records, on one database; and how fast records are recorded beside them, against a server whose
 * database was empty.
 */
import pg from "pg";
import {
  createAnalyticsClient,
  expectSame,
  keepAsking,
  measureQuestion,
  measureSql,
} from "./analytics-load.js";
import { type Question, questions } from "./analytics-questions.js";
import { measureUnary, prepareCatalog } from "./record-load.js";
import { startHistoryServer } from "./support/history-server.js";
import { type Comparison, report } from "./support/report.js";
import { type BenchServer, startServer } from "./support/server.js";
import { median } from "./support/statistics.js";

const ROUNDS = 3;
const DEFAULT_RECORDS = 10_000_000;
/** Not the whole year: what is older may be purged while it is asked about. */
const HISTORY = { users: 1_000, days: 364 };
const DAY_MS = 86_400_000;
const MAX_P95_MS = 50;
const AIM_P95_MS = 20;

interface Runs {
  readonly question: Question;
  readonly p50Ms: number[];
  readonly p95Ms: number[];
  readonly sqlMs: number[];
}

/** Runs the benchmark; returns whether every floor of it was met. */
export async function benchAnalytics({ records = DEFAULT_RECORDS } = {}): Promise<boolean> {
  process.stdout.write(`analytics: making ${records.toLocaleString("en")} records\n`);
  const server = await startHistoryServer({ ...HISTORY, records });
  try {
    const asked = await measureQuestions(server);
    const recording = await measureRecording(server);
    return await report("analytics", [...asked.flatMap(compare), recording]);
  } finally {
    await server.stop();
  }
}

/** Where histories end unless told otherwise. */
export function historyEndMs(): number {
  return Math.floor(Date.now() / DAY_MS) * DAY_MS;
}

async function measureQuestions(server: BenchServer): Promise<Runs[]> {
  const client = createAnalyticsClient(server.address);
  const database = new pg.Client(server.connection);
  await database.connect();
  const runs = questions(historyEndMs()).map((question) => ({
    question,
    p50Ms: [] as number[],
    p95Ms: [] as number[],
    sqlMs: [] as number[],
  }));
  try {
    for (let round = 1; round <= ROUNDS; round += 1) {
      process.stdout.write(`analytics: round ${round} of ${ROUNDS}\n`);
      for (const { question, p50Ms, p95Ms, sqlMs } of runs) {
        const { ms, answer } = await measureSql(database, question);
        sqlMs.push(ms);
        expectSame(question, await question.ask(client), answer);
        const latency = await measureQuestion(client, question);
        p50Ms.push(latency.p50Ms);
        p95Ms.push(latency.p95Ms);
      }
    }
    return runs;
  } finally {
    client.close();
    await database.end();
  }
}

function compare({ question, p50Ms, p95Ms, sqlMs }: Runs): Comparison[] {
  const limit: Comparison = {
    name: `${question.name}, p95`,
    unit: "ms",
    runs: p95Ms,
    baselineName: "what it may take",
    baselineRuns: [MAX_P95_MS],
    ratio: median(p95Ms) / MAX_P95_MS,
    floor: 1,
    aim: AIM_P95_MS / MAX_P95_MS,
    isSmallerBetter: true,
  };
  const speed: Comparison = {
    name: `${question.name}, p50`,
    unit: "ms",
    runs: p50Ms,
    baselineName: "plain SQL over usage_records",
    baselineRuns: sqlMs,
    ratio: median(sqlMs) / median(p50Ms),
    floor: question.isNarrow ? 0 : 50,
    aim: question.isNarrow ? 1 : 100,
  };
  return [limit, speed];
}

/** The same load on both in turns; the one with the history answers its questions meanwhile. */
async function measureRecording(server: BenchServer): Promise<Comparison> {
  const empty = await startServer({ DATABASE_URL: "" });
  const databases = [server, empty].map(({ connection }) => new pg.Client(connection));
  const [full, fresh] = databases as [pg.Client, pg.Client];
  const client = createAnalyticsClient(server.address);
  const runs: number[] = [];
  const baselineRuns: number[] = [];
  try {
    for (const database of databases) await database.connect();
    for (const { address } of [server, empty]) await prepareCatalog(address);
    await measureUnary(server.address, full);
    await measureUnary(empty.address, fresh);
    for (let round = 1; round <= ROUNDS; round += 1) {
      process.stdout.write(`analytics: recording, round ${round} of ${ROUNDS}\n`);
      baselineRuns.push(await measureUnary(empty.address, fresh));
      const asking = keepAsking(client, questions(historyEndMs()));
      runs.push(await measureUnary(server.address, full));
      await asking.stop();
    }
  } finally {
    client.close();
    for (const database of databases) await database.end();
    await empty.stop();
  }
  return {
    name: "RecordUsage unary, 256 in flight, while a question a second is asked",
    unit: "records/s",
    runs,
    baselineName: "the same on a database that was empty, without questions",
    baselineRuns,
    ratio: median(runs) / median(baselineRuns),
    floor: 0.85,
    aim: 1,
  };
}
