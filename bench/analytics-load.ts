import type pg from "pg";
import { Analytics } from "../gen/tally/v1/analytics_pb.js";
import { createGrpcClient, type GrpcClient } from "../src/client/grpc-client.js";
import type { Answer, Question } from "./analytics-questions.js";
import { quantile } from "./support/statistics.js";

/** How long a question took by RPC, milliseconds. */
export interface Latency {
  readonly p50Ms: number;
  readonly p95Ms: number;
}

const TIMEOUT_MS = 600_000;
const WARM_UP_CALLS = 5;
const CALLS = 60;

/** A client that waits for as long as an answer takes. */
export function createAnalyticsClient(address: string): GrpcClient<typeof Analytics> {
  return createGrpcClient(Analytics, address, { timeoutMs: TIMEOUT_MS });
}

/** Asks one after the other. */
export async function measureQuestion(
  client: GrpcClient<typeof Analytics>,
  question: Question,
): Promise<Latency> {
  const latencies: number[] = [];
  for (let call = -WARM_UP_CALLS; call < CALLS; call += 1) {
    await question.prepare?.(client);
    const startedMs = performance.now();
    await question.ask(client);
    if (call >= 0) latencies.push(performance.now() - startedMs);
  }
  return { p50Ms: quantile(latencies, 0.5), p95Ms: quantile(latencies, 0.95) };
}

/** Asks the records themselves, on a connection that may take what memory it needs. */
export async function measureSql(
  client: pg.Client,
  { sql }: Question,
): Promise<{ readonly ms: number; readonly answer: Answer }> {
  await client.query("set work_mem = '256MB'; set max_parallel_workers_per_gather = 2");
  const startedMs = performance.now();
  const { rows } = await client.query(sql);
  const ms = performance.now() - startedMs;
  const sumOf = (name: string) => rows.reduce((sum, row) => sum + BigInt(row[name]), 0n);
  return { ms, answer: { requests: sumOf("requests"), costNanoUsd: sumOf("cost") } };
}

/** @throws when the two ways of asking do not agree, to the nano-USD */
export function expectSame(question: Question, asked: Answer, computed: Answer): void {
  if (asked.requests === computed.requests && asked.costNanoUsd === computed.costNanoUsd) return;
  const show = ({ requests, costNanoUsd }: Answer) =>
    `${requests} requests, ${costNanoUsd} nano-USD`;
  throw new Error(`${question.name}: answered ${show(asked)}, but records are ${show(computed)}`);
}

/** Asks a question a second, in turn, until it is stopped, as a dashboard does. */
export function keepAsking(client: GrpcClient<typeof Analytics>, questions: readonly Question[]) {
  let isStopping = false;
  async function run(): Promise<void> {
    for (let turn = 0; !isStopping; turn += 1) {
      await questions[turn % questions.length]!.ask(client);
      await new Promise((resolve) => setTimeout(resolve, 1_000));
    }
  }
  const running = run();
  return {
    async stop(): Promise<void> {
      isStopping = true;
      await running;
    },
  };
}
