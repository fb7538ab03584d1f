import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import { RpcError } from "../../src/client/grpc-client.js";
import { createTallyClients, type TallyClients } from "../../src/traffic/clients.js";
import { createConversation } from "../../src/traffic/conversation.js";
import { createPrng } from "../../src/traffic/prng.js";
import { openTrace } from "../../src/traffic/trace-file.js";
import { eventually } from "../support/eventually.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";
import { runTally, startTally } from "./run-tally.js";
import { type ServingTally, serveTally } from "./serving-tally.js";

describe("tally replay", function () {
  this.timeout(240_000);
  let directory: TemporaryDirectory;
  let server: ServingTally;
  let clients: TallyClients;

  beforeEach(async () => {
    directory = await createTemporaryDirectory();
    server = await serveTally(join(directory.path, "data"));
    clients = createTallyClients(server.address, 1);
  });
  afterEach(async () => {
    clients.close();
    await server.stop();
    await directory.remove();
  });

  async function writeTrace(lines: number): Promise<string> {
    const file = join(directory.path, "trace.jsonl");
    await writeFile(file, mooncakeTrace(lines));
    return file;
  }

  function replay(file: string, ...args: string[]) {
    return runTally(["replay", file, "--address", server.address, ...args]);
  }

  it("records a trace once, however often it is replayed", async () => {
    const budgets = [{ budgetId: "all", scope: BudgetScope.GLOBAL, limit: 10n ** 15n }];
    await clients.catalog.applyCatalog({ document: { budgets } });
    const file = await writeTrace(300);
    const first = await replay(file);
    expect(first.exitCode, first.stdout + first.stderr).to.equal(0);
    expect(figure(first.stdout, "created")).to.equal("300");
    expect(figure(first.stdout, "figures that drifted")).to.equal("0");
    const before = await clients.operations.verifyLedger({});
    const second = await replay(file, "--concurrency", "1");
    expect(second.exitCode, second.stdout + second.stderr).to.equal(0);
    expect(figure(second.stdout, "replayed")).to.equal("300");
    expect(figure(second.stdout, "created")).to.equal(undefined);
    const after = await clients.operations.verifyLedger({});
    const { snapshotTime: _earlier, ...unchanged } = before;
    expect(after).to.deep.include(unchanged);
    expect(after).to.deep.include({ records: 300n, driftCount: 0n });
    expect(BigInt(after.totalCostNanoUsd) > 0n).to.equal(true);
    expect(costSection(second.stdout)).to.equal(costSection(first.stdout));
    const subject = { case: "budgetId", value: "all" } as const;
    const [budget] = (await clients.checker.getQuota({ subject })).budgets;
    expect(budget?.spent.toString()).to.equal(after.totalCostNanoUsd);
    expect(budget?.reservations).to.deep.equal([]);
  });

  it("rides out a server that is killed, and loses and doubles nothing", async () => {
    const file = await writeTrace(2_000);
    const { traceId } = await openTrace(file);
    const replaying = startTally(["replay", file, "--address", server.address]);
    await eventually(
      "the middle of the trace is recorded",
      () => isRecorded(`${traceId}-700`),
      60_000,
    );
    await server.kill();
    server = await serveTally(join(directory.path, "data"), server.address);
    const ridden = await replaying.ended;
    expect(ridden.exitCode, ridden.stdout + ridden.stderr).to.equal(0);
    expect(figure(ridden.stdout, "recorded")).to.equal("2,000");
    expect(figure(ridden.stdout, "lost")).to.equal("0");
    expect(figure(ridden.stdout, "calls repeated")).not.to.equal(undefined);

    const again = await replay(file);
    expect(again.exitCode, again.stdout + again.stderr).to.equal(0);
    expect(figure(again.stdout, "replayed")).to.equal("2,000");
    const verified = await clients.operations.verifyLedger({});
    expect(verified).to.deep.include({ records: 2_000n, driftCount: 0n });
  });

  it("gives up on a server that stays away, and goes on where it was cut off", async () => {
    const file = await writeTrace(2_000);
    const { traceId } = await openTrace(file);
    const args = ["replay", file, "--address", server.address, "--retry-for", "1s"];
    const replaying = startTally(args);
    await eventually(
      "the middle of the trace is recorded",
      () => isRecorded(`${traceId}-700`),
      60_000,
    );
    await server.kill();
    const cut = await replaying.ended;
    expect(cut.exitCode).to.equal(1);
    expect(cut.stderr).to.match(/^error: no answer for \d+ s; last: UNAVAILABLE: /m);
    expect(cut.stderr).to.match(/^hint: start the server and repeat the command/m);

    server = await serveTally(join(directory.path, "data"), server.address);
    const again = await replay(file);
    expect(again.exitCode, again.stdout + again.stderr).to.equal(0);
    const created = Number(figure(again.stdout, "created")?.replace(",", ""));
    const replayed = Number(figure(again.stdout, "replayed")?.replace(",", ""));
    expect(replayed).to.be.at.least(600);
    expect(created + replayed).to.equal(2_000);
    const verified = await clients.operations.verifyLedger({});
    expect(verified).to.deep.include({ records: 2_000n, driftCount: 0n });
  });

  it("leaves users that are in the catalog as they are, and records denied requests too", async () => {
    const users = [{ userId: "user-1", email: "kept@example.com", active: false }];
    await clients.catalog.applyCatalog({ document: { users } });
    const file = join(directory.path, "one.jsonl");
    const row = { timestamp: 0, input_length: 600, output_length: 5, hash_ids: [0, 201] };
    await writeFile(file, JSON.stringify(row));
    const { exitCode, stdout } = await replay(file, "--no-reserve");
    expect(exitCode, stdout).to.equal(0);
    expect(figure(stdout, "user inactive")).to.equal("1");
    expect(figure(stdout, "created")).to.equal("1");
    const { changes } = await clients.catalog.applyCatalog({ document: { users }, dryRun: true });
    expect(changes).to.deep.equal([]);
  });

  it("replays Azure's traces, at the time that it is told", async () => {
    const file = join(directory.path, "azure.csv");
    const rows = ["2023-11-16 18:17:03.9799600,374,44", "2023-11-16 18:17:04.0319609,396,109"];
    await writeFile(file, ["TIMESTAMP,ContextTokens,GeneratedTokens", ...rows].join("\n"));
    const { exitCode, stdout } = await replay(file, "--start", "2026-02-03T04:05:06Z");
    expect(exitCode, stdout).to.equal(0);
    const { traceId } = await openTrace(file);
    const { record } = await clients.recorder.getUsage({ requestId: `${traceId}-3` });
    expect(record).to.deep.include({ inputTokens: 396n, outputTokens: 109n, userId: "user-3" });
    const createTimeMs = Number(record?.createTime?.seconds) * 1_000;
    expect(createTimeMs).to.equal(Date.parse("2026-02-03T04:05:06Z"));
    expect(record?.createTime?.nanos).to.equal(52_000_000);
  });

  it("names the line of a trace that cannot be read, and keeps what came before", async () => {
    const file = join(directory.path, "broken.jsonl");
    await writeFile(file, `${mooncakeTrace(5)}{"timestamp": 1}\n`);
    const { exitCode, stderr } = await replay(file);
    expect(exitCode).to.equal(1);
    expect(stderr).to.include(
      `error: ${file}:6: hash_ids: must be a list of block ids (was unset)\n`,
    );
    const { records, driftCount } = await clients.operations.verifyLedger({});
    expect({ records, driftCount }).to.deep.equal({ records: 5n, driftCount: 0n });
  });

  async function isRecorded(requestId: string): Promise<boolean> {
    try {
      await clients.recorder.getUsage({ requestId });
      return true;
    } catch (error) {
      if (error instanceof RpcError && error.code === Code.NOT_FOUND) return false;
      throw error;
    }
  }
});

/** A trace of Mooncake's format: conversations that share their first block, some going on. */
function mooncakeTrace(lines: number): string {
  const prng = createPrng(1);
  let blocks = 1;
  const start = () => createConversation(prng, [0], () => blocks++);
  let conversation = start();
  const rows: string[] = [];
  for (let line = 0; line < lines; line += 1) {
    if (conversation.isOver() || prng.chance(0.6)) conversation = start();
    const { promptTokens, blockIds, outputTokens } = conversation.next();
    rows.push(
      JSON.stringify({
        timestamp: line * 300,
        input_length: promptTokens,
        output_length: outputTokens,
        hash_ids: blockIds,
      }),
    );
  }
  return `${rows.join("\n")}\n`;
}

/** The figure behind a label; undefined when there is none. */
function figure(text: string, label: string): string | undefined {
  return new RegExp(`^${label} +(\\S+)$`, "m").exec(text)?.[1];
}

function costSection(text: string): string | undefined {
  return text.split("\n\n").find((section) => section.startsWith("Cost by model"));
}
