import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { RecordOutcome } from "../../gen/tally/v1/usage_recorder_pb.js";
import { RpcError } from "../../src/client/grpc-client.js";
import type { ConnectionSettings } from "../../src/database/connection.js";
import { createTallyClients, type TallyClients } from "../../src/traffic/clients.js";
import { isPassing } from "../../src/traffic/retry.js";
import { type ServingTally, serveTally } from "../cli/serving-tally.js";
import { toDatabaseUrl } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { usage } from "../usage/usage-fixture.js";
import { PLAIN_PRICES } from "./replica.js";

/** How a stream came through. */
export interface StreamThrough {
  /** The last sequence that was acknowledged before the server was killed. */
  readonly acknowledgedBefore: number;
  /** Records that had been written, but not acknowledged, when the server was killed. */
  readonly replayed: number;
  /** How much more memory the second server held in the second half of its work, in MiB. */
  readonly grownMib: number;
}

const USERS = 50;

/**
 * Sends so many records over one stream, kills the server with SIGKILL half-way, starts another and
 * goes on after the last acknowledged record; then compares the books with what was sent. The
 * record with sequence n costs n nano-USD, so that one that is lost, doubled or exchanged shows.
 */
export async function streamThroughKill(
  connection: ConnectionSettings,
  count: number,
): Promise<StreamThrough> {
  const first = await serve(connection);
  await first.clients.catalog.applyCatalog({ document: { prices: PLAIN_PRICES } });
  const acknowledgedBefore = await sendUntilKilled(first, count);
  const second = await serve(connection);
  try {
    const resumed = await sendTheRest(second, acknowledgedBefore + 1, count);
    await expectRecorded(second.clients, count);
    return { acknowledgedBefore, ...resumed };
  } finally {
    second.clients.close();
    await second.tally.stop();
  }
}

async function sendUntilKilled({ tally, clients }: Served, count: number): Promise<number> {
  try {
    const { last, error } = await send(clients, { from: 1, to: count }, (sequence) => {
      if (sequence === Math.ceil(count / 2)) void tally.kill();
    });
    expect(error, "the server was killed").to.satisfy(isLost);
    expect(last)
      .to.be.at.least(count / 2)
      .and.below(count);
    return last;
  } finally {
    await tally.kill();
    clients.close();
  }
}

async function sendTheRest({ tally, clients }: Served, from: number, to: number) {
  const memory = createMemoryWatch(tally.pid);
  const middle = (from + to) / 2;
  const { last, replayed, error } = await send(clients, { from, to }, (sequence) =>
    memory.look(sequence <= middle),
  );
  expect(error).to.equal(undefined);
  expect(last).to.equal(to);
  return { replayed, grownMib: await memory.grownMib() };
}

/** A server in a process of its own. */
interface Served {
  readonly tally: ServingTally;
  readonly clients: TallyClients;
}

async function serve(connection: ConnectionSettings): Promise<Served> {
  const tally = await serveTally("", undefined, {
    DATABASE_URL: toDatabaseUrl(connection),
  });
  return { tally, clients: createTallyClients(tally.address, 1) };
}

interface Sent {
  /** The last sequence that was acknowledged. */
  readonly last: number;
  readonly replayed: number;
  /** How the stream ended, if not well. */
  readonly error?: unknown;
}

/** Sends as fast as the server takes it. @throws when an answer is missing or comes out of order */
async function send(
  { recorder }: TallyClients,
  { from, to }: { readonly from: number; readonly to: number },
  onAnswer: (sequence: number) => void,
): Promise<Sent> {
  let last = from - 1;
  let replayed = 0;
  try {
    for await (const { sequence, result } of recorder.streamRecordUsage(requests(from, to))) {
      expect(Number(sequence)).to.equal(last + 1);
      expect(result.case).to.equal("response");
      if (result.case === "response" && result.value.outcome === RecordOutcome.REPLAYED) {
        replayed += 1;
      }
      last += 1;
      onAnswer(last);
    }
    return { last, replayed };
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    return { last, replayed, error };
  }
}

async function* requests(from: number, to: number) {
  for (let sequence = from; sequence <= to; sequence += 1) {
    const input = usage({
      requestId: `streamed-${sequence}`,
      userId: `user-${sequence % USERS}`,
      model: "plain",
      inputTokens: BigInt(sequence),
    });
    yield { sequence: BigInt(sequence), request: { usage: input } };
  }
}

function isLost(error: unknown): boolean {
  return error instanceof RpcError && isPassing(error);
}

async function expectRecorded(clients: TallyClients, count: number): Promise<void> {
  const { records } = await expectBalancedBooks({ clients });
  expect(records).to.equal(BigInt(count));
  const { totalCostNanoUsd } = await clients.operations.verifyLedger({});
  expect(totalCostNanoUsd).to.equal(String((count * (count + 1)) / 2));
}

/** Looks now and then at what a process holds in memory: the most of each half. */
function createMemoryWatch(pid: number) {
  const LOOK_EVERY = 500;
  let answers = 0;
  let looking = Promise.resolve();
  let firstHalfMib = 0;
  let secondHalfMib = 0;

  async function look(isFirstHalf: boolean): Promise<void> {
    const status = await readFile(`/proc/${pid}/status`, "utf8");
    const mib = Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
    if (isFirstHalf) firstHalfMib = Math.max(firstHalfMib, mib);
    else secondHalfMib = Math.max(secondHalfMib, mib);
  }

  return {
    look(isFirstHalf: boolean) {
      answers += 1;
      if (answers % LOOK_EVERY === 1) looking = looking.then(() => look(isFirstHalf));
    },
    async grownMib(): Promise<number> {
      await looking;
      return secondHalfMib - firstHalfMib;
    },
  };
}
