import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import {
  ConflictPolicy,
  RecordOutcome,
  StreamRecordUsageRequestSchema as RequestSchema,
  type StreamRecordUsageResponse,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import { RpcError } from "../../src/client/grpc-client.js";
import { createTallyClients } from "../../src/traffic/clients.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { holdUsageKeys } from "./held-table.js";
import { readTotals, sonnetCost, USAGE_CATALOG, type UsageInit, usage } from "./usage-fixture.js";

type Init = MessageInitShape<typeof RequestSchema>;

const PATH = "/tally.v1.UsageRecorder/StreamRecordUsage";

const MIB = 1024 * 1024;
/** Nearly as much as metadata may hold, so that few records fill all buffers. */
const LARGE_TEXT = "x".repeat(60_000);

/** Small, so that streams meet its limits. */
const QUEUE_LIMIT = 600;

describe("StreamRecordUsage", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp({ env: { TALLY_RECORDER_QUEUE_LIMIT: String(QUEUE_LIMIT) } });
    await app.apply(USAGE_CATALOG);
  });
  after(async () => {
    await expectBalancedBooks(app);
    await app.stop();
  });

  function numbered(inputs: readonly UsageInit[], more: Partial<Init> = {}): Init[] {
    return inputs.map((input, index) => ({
      sequence: BigInt(index + 1),
      request: { usage: input },
      ...more,
    })) as Init[];
  }

  async function* send(items: readonly Init[]): AsyncGenerator<Init> {
    yield* items;
  }

  /** Sends the items and keeps the stream open. */
  async function* sendAndStay(items: readonly Init[]): AsyncGenerator<Init> {
    yield* items;
    await new Promise(() => {});
  }

  async function take(requests: AsyncIterable<Init>): Promise<StreamRecordUsageResponse[]> {
    const answers: StreamRecordUsageResponse[] = [];
    for await (const answer of app.clients.recorder.streamRecordUsage(requests)) {
      answers.push(answer);
    }
    return answers;
  }

  function streamed(items: readonly Init[]): Promise<StreamRecordUsageResponse[]> {
    return take(send(items));
  }

  /** Sequence, and the outcome of a good item or the code of a bad one. */
  function show({ sequence, result }: StreamRecordUsageResponse): string {
    if (result.case === "response") return `${sequence} ${RecordOutcome[result.value.outcome]}`;
    return `${sequence} ${result.case === "error" ? Code[result.value.code] : "nothing"}`;
  }

  async function countRecords(): Promise<number> {
    const { rows } = await app.database.knex.raw("select count(*)::int as n from usage_keys");
    return rows[0].n;
  }

  it("answers any number of items in their order", async () => {
    const userId = uniqueId("user");
    const inputs = Array.from({ length: 1_500 }, (_, index) =>
      usage({ userId: index % 2 === 0 ? userId : uniqueId("user"), inputTokens: BigInt(index) }),
    );
    const answers = await streamed(numbered(inputs));
    expect(answers.map(show)).to.deep.equal(inputs.map((_, index) => `${index + 1} CREATED`));
    const costs = answers.map(({ result }) =>
      result.case === "response" ? result.value.record?.cost?.totalNanoUsd : undefined,
    );
    expect(costs).to.deep.equal(inputs.map((_, index) => sonnetCost(BigInt(index), 100n)));
    expect((await readTotals(app.database, "USER", userId)).requests).to.equal(750n);
  });

  it("answers an item while the caller waits with the next", async () => {
    const items = numbered([usage(), usage()]);
    let answered = () => {};
    const firstAnswer = new Promise<void>((resolve) => {
      answered = resolve;
    });
    const requests = (async function* () {
      yield items[0]!;
      await firstAnswer;
      yield items[1]!;
    })();
    const seen: string[] = [];
    for await (const answer of app.clients.recorder.streamRecordUsage(requests)) {
      seen.push(show(answer));
      answered();
    }
    expect(seen).to.deep.equal(["1 CREATED", "2 CREATED"]);
  });

  it("tells what is wrong with bad items, and records the good ones", async () => {
    const items: Init[] = [
      { sequence: 1n, request: { usage: usage() } },
      { sequence: 2n, request: { usage: usage({ inputTokens: -1n, statusCode: 99 }) } },
      { sequence: 3n },
      { sequence: 5n, request: { usage: usage(), reservationId: "forged" } },
      { sequence: 6n, request: { usage: usage({ metadata: { text: "\0" } }) } },
      { sequence: 9n, request: { usage: usage() } },
    ];
    const before = await countRecords();
    const answers = await streamed(items);
    expect(answers.map(show)).to.deep.equal([
      "1 CREATED",
      "2 INVALID_ARGUMENT",
      "3 INVALID_ARGUMENT",
      "5 INVALID_ARGUMENT",
      "6 INVALID_ARGUMENT",
      "9 CREATED",
    ]);
    expect(answers.map(fieldsOf)).to.deep.equal([
      [],
      ["request.usage.input_tokens", "request.usage.status_code"],
      ["request"],
      ["request.reservation_id"],
      ["request.usage.metadata"],
      [],
    ]);
    expect((await countRecords()) - before).to.equal(2);
  });

  it("judges an id that comes repeatedly in the order of the items", async () => {
    const input = usage();
    const revised = { ...input, outputTokens: 1n };
    const answers = await streamed(numbered([input, input, revised, revised, input]));
    expect(answers.map(show)).to.deep.equal([
      "1 CREATED",
      "2 REPLAYED",
      "3 REVISED",
      "4 REPLAYED",
      "5 REVISED",
    ]);
    const items = numbered([input, revised, input]).map((item) => ({
      ...item,
      request: { ...item.request, conflictPolicy: ConflictPolicy.REJECT },
    })) as Init[];
    expect((await streamed(items)).map(show)).to.deep.equal([
      "1 REPLAYED",
      "2 ALREADY_EXISTS",
      "3 REPLAYED",
    ]);
  });

  it("leaves the record out when asked to", async () => {
    const [answer] = await streamed(numbered([usage()], { omitRecord: true }));
    expect(show(answer!)).to.equal("1 CREATED");
    expect(answer?.result.case === "response" && answer.result.value.record).to.equal(undefined);
  });

  it("ends when a sequence does not grow, after the answers before it", async () => {
    const items = numbered([usage(), usage(), usage()]);
    const seen: string[] = [];
    const stream = app.clients.recorder.streamRecordUsage(
      sendAndStay([items[0]!, items[1]!, items[1]!, items[2]!]),
    );
    const error = await rpcFailure(
      (async () => {
        for await (const answer of stream) seen.push(show(answer));
      })(),
    );
    expect(seen).to.deep.equal(["1 CREATED", "2 CREATED"]);
    expect(error.reason).to.equal("INVALID_FIELD");
    expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("sequence");
  });

  it("waits for room in the recorder's queue, and leaves some to other callers", async () => {
    const held = await holdUsageKeys(app.database);
    const items = numbered(Array.from({ length: 4 * QUEUE_LIMIT }, () => usage()));
    let sent = 0;
    const requests = (async function* () {
      for (; sent < items.length; sent += 1) yield items[sent]!;
    })();
    const stream = take(requests);
    await held.waiters(2);
    await eventually(
      "the server has read what it will",
      atRest(async () => sent),
    );
    const lone = app.clients.recorder.recordUsage({ usage: usage() });
    await held.letGo();
    expect((await lone).outcome).to.equal(RecordOutcome.CREATED);
    expect((await stream).map(show)).to.deep.equal(items.map((_, index) => `${index + 1} CREATED`));
  });

  it("records no more for a caller that stops reading answers, and goes on for others", async () => {
    const client = new Client(app.address, credentials.createInsecure());
    const same = (bytes: Buffer) => bytes;
    const call = client.makeBidiStreamRequest(PATH, same, same, new Metadata());
    call.on("error", () => undefined);
    // One that has not begun to read takes in all answers; one that stops reading does not.
    call.once("readable", () => call.read());
    let sent = 0;
    let sentBytes = 0;
    const write = () => {
      for (let more = true; more; ) {
        sent += 1;
        const [first] = numbered([usage({ metadata: { text: LARGE_TEXT } })]);
        const item = { ...first!, sequence: BigInt(sent) };
        const bytes = toBinary(RequestSchema, create(RequestSchema, item));
        sentBytes += bytes.length;
        more = call.write(Buffer.from(bytes));
      }
    };
    call.on("drain", write);
    write();
    const before = await countRecords();
    await eventually("it comes to rest", atRest(countRecords), 20_000);
    // One share of 16 MiB, and the answers that fill the client's and the connection's buffers.
    expect(((await countRecords()) - before) * LARGE_TEXT.length).to.be.below(20 * MIB);
    expect(sentBytes).to.be.below(30 * MIB);
    const other = await app.clients.recorder.recordUsage({ usage: usage() });
    expect(other.outcome).to.equal(RecordOutcome.CREATED);
    expect((await streamed(numbered([usage()]))).map(show)).to.deep.equal(["1 CREATED"]);
    call.cancel();
    client.close();
  });

  it("answers what it has read and ends with SHUTTING_DOWN when the server stops", async () => {
    const replica = await startTestApp({ replicaOf: app });
    const clients = createTallyClients(replica.address, 1);
    const before = await countRecords();
    const items = numbered(Array.from({ length: 200 }, () => usage()));
    const seen: string[] = [];
    let stopped: Promise<void> | undefined;
    const error = await rpcFailure(
      (async () => {
        for await (const answer of clients.recorder.streamRecordUsage(sendAndStay(items))) {
          seen.push(show(answer));
          stopped ??= replica.stop();
        }
      })(),
    );
    expect(error.code).to.equal(Code.UNAVAILABLE);
    expect(error.reason).to.equal("SHUTTING_DOWN");
    expect(error.details.retryInfo).not.to.equal(undefined);
    await stopped;
    clients.close();
    expect(seen).to.deep.equal(seen.map((_, index) => `${index + 1} CREATED`));
    expect((await countRecords()) - before).to.equal(seen.length);
  });
});

function fieldsOf({ result }: StreamRecordUsageResponse): string[] {
  if (result.case !== "error") return [];
  const { fieldViolations } = new RpcError(result.value).details.badRequest!;
  return fieldViolations.map(({ field }) => field).sort();
}

/** True when so many looks in a row have found the figure unchanged. */
function atRest(figure: () => Promise<number>, looks = 15): () => Promise<boolean> {
  let last = -1;
  let unchanged = 0;
  return async () => {
    const now = await figure();
    unchanged = now === last ? unchanged + 1 : 0;
    last = now;
    return unchanged >= looks;
  };
}
