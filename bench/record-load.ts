import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import type pg from "pg";
import { HealthCheckRequestSchema } from "../gen/grpc/health/v1/health_pb.js";
import { Catalog } from "../gen/tally/v1/catalog_pb.js";
import { BudgetScope, BudgetWindowKind, TokenConvention } from "../gen/tally/v1/usage_pb.js";
import {
  BatchRecordUsageRequestSchema,
  RecordUsageRequestSchema,
} from "../gen/tally/v1/usage_recorder_pb.js";
import { createGrpcClient } from "../src/client/grpc-client.js";
import { framed, runH2Load } from "./support/h2load.js";
import { createRawClient, type RawClient } from "./support/raw-client.js";
import { quantile } from "./support/statistics.js";

const USERS = 1_000;
/** h2load sends one message again and again: so many processes, each with its own user. */
const UNARY_PROCESSES = 16;
const UNARY_CALLS = 32_000;
const UNARY_IN_FLIGHT = 256;
const BATCH_SIZE = 500;
const BATCHES = 80;
const BATCHES_IN_FLIGHT = 4;
const SINGLE_CALLS = 500;

const RECORD_USAGE = "/tally.v1.UsageRecorder/RecordUsage";
const BATCH_RECORD_USAGE = "/tally.v1.UsageRecorder/BatchRecordUsage";
const HEALTH_CHECK = "/grpc.health.v1.Health/Check";

/** Users with a monthly budget each, and prices. */
export async function prepareCatalog(address: string): Promise<void> {
  const client = createGrpcClient(Catalog, address, { timeoutMs: 120_000 });
  await client.importPrices({ providers: ["anthropic"] });
  await client.applyCatalog({
    document: {
      users: Array.from({ length: USERS }, (_, index) => ({ userId: `user-${index}` })),
      apiKeys: Array.from({ length: USERS }, (_, index) => ({
        apiKeyId: `key-${index}`,
        userId: `user-${index}`,
      })),
      budgets: Array.from({ length: USERS }, (_, index) => ({
        budgetId: `budget-${index}`,
        scope: BudgetScope.USER,
        subject: `user-${index}`,
        limit: 1_000_000_000_000_000n,
        window: { kind: BudgetWindowKind.MONTH },
      })),
    },
  });
  client.close();
}

/** Records a second, each a call of its own. Without request ids, so that each is a new record. */
export async function measureUnary(address: string, database: pg.Client): Promise<number> {
  const before = await countRecords(database);
  const { calls, callsPerSecond } = await runH2Load({
    address,
    path: RECORD_USAGE,
    bodies: Array.from({ length: UNARY_PROCESSES }, (_, index) =>
      framed(
        toBinary(RecordUsageRequestSchema, create(RecordUsageRequestSchema, requestOf(index))),
      ),
    ),
    callsPerProcess: UNARY_CALLS / UNARY_PROCESSES,
    concurrency: UNARY_IN_FLIGHT / UNARY_PROCESSES,
  });
  const recorded = (await countRecords(database)) - before;
  if (recorded !== calls) throw new Error(`${calls} calls, but ${recorded} records`);
  return callsPerSecond;
}

/**
 * Records a second in batches over 1,000 users. The batches are made before, and what came of them
 * is counted in the database, so that the client takes little of the machine.
 */
export async function measureBatches(address: string, database: pg.Client): Promise<number> {
  const before = await countRecords(database);
  const client = createRawClient(address, BATCH_RECORD_USAGE);
  const batches = Array.from({ length: USERS / BATCH_SIZE }, (_, index) =>
    batch(index * BATCH_SIZE),
  );
  let next = 0;
  const startedMs = performance.now();
  await Promise.all(
    Array.from({ length: BATCHES_IN_FLIGHT }, async () => {
      while (next < BATCHES) {
        next += 1;
        await client.call(batches[next % batches.length]!);
      }
    }),
  );
  const seconds = (performance.now() - startedMs) / 1_000;
  client.close();
  const recorded = (await countRecords(database)) - before;
  if (recorded !== BATCHES * BATCH_SIZE) throw new Error(`only ${recorded} records`);
  return recorded / seconds;
}

/** Median latencies of a lone RecordUsage, and of a call that does nothing. */
export async function measureOneInFlight(
  address: string,
): Promise<{ recordMs: number; emptyMs: number }> {
  const recorder = createRawClient(address, RECORD_USAGE);
  const health = createRawClient(address, HEALTH_CHECK);
  const empty = Buffer.from(toBinary(HealthCheckRequestSchema, create(HealthCheckRequestSchema)));
  const records = Array.from({ length: USERS }, (_, index) =>
    Buffer.from(
      toBinary(RecordUsageRequestSchema, create(RecordUsageRequestSchema, requestOf(index))),
    ),
  );
  const emptyMs = await medianLatency(health, () => empty);
  const recordMs = await medianLatency(recorder, (call) => records[call % USERS]!);
  recorder.close();
  health.close();
  return { recordMs, emptyMs };
}

async function medianLatency(client: RawClient, message: (call: number) => Buffer) {
  const latencies: number[] = [];
  for (let call = 0; call < SINGLE_CALLS; call += 1) {
    const startedMs = performance.now();
    await client.call(message(call));
    latencies.push(performance.now() - startedMs);
  }
  return quantile(latencies, 0.5);
}

function batch(first: number): Buffer {
  const requests = Array.from({ length: BATCH_SIZE }, (_, index) => requestOf(first + index));
  const request = create(BatchRecordUsageRequestSchema, { requests });
  return Buffer.from(toBinary(BatchRecordUsageRequestSchema, request));
}

/** One request of the user with this number, modulo the number of users. */
export function requestOf(index: number): MessageInitShape<typeof RecordUsageRequestSchema> {
  const user = index % USERS;
  return {
    usage: {
      userId: `user-${user}`,
      apiKeyId: `key-${user}`,
      provider: "anthropic",
      model: "claude-sonnet-4-5",
      inputTokens: 1_200n,
      outputTokens: 350n,
      cacheReadInputTokens: 4_096n,
      cacheCreationInputTokens: 512n,
      tokenConvention: TokenConvention.CACHE_EXCLUSIVE,
      apiFormat: "CLAUDE",
      isStream: true,
      responseTimeMs: 2_400n,
      firstByteTimeMs: 310n,
      tags: { team: `team-${user % 10}` },
    },
  };
}

/** Records that the database knows. */
export async function countRecords(database: pg.Client): Promise<number> {
  const { rows } = await database.query("select count(*)::int as count from usage_keys");
  return rows[0].count;
}
