import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata, type StatusObject } from "@grpc/grpc-js";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import {
  StreamRecordUsageRequestSchema as RequestSchema,
  StreamRecordUsageResponseSchema as ResponseSchema,
  type StreamRecordUsageRequestSchema,
  type StreamRecordUsageResponse,
  UsageRecorder,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import type { CallContext } from "../../src/server/context.js";
import { implement, type RequestStream, type ServiceHandlers } from "../../src/server/handler.js";
import { startTestServer, type TestServer } from "./test-server.js";

type Init = MessageInitShape<typeof StreamRecordUsageRequestSchema>;
type Requests = RequestStream<typeof RequestSchema>;

const PATH = "/tally.v1.UsageRecorder/StreamRecordUsage";

describe("the requests of a stream", () => {
  let server: TestServer;
  let handle: NonNullable<ServiceHandlers<typeof UsageRecorder>["streamRecordUsage"]>;

  before(async () => {
    server = await startTestServer({
      services: [
        implement(
          UsageRecorder,
          { streamRecordUsage: (requests, context) => handle(requests, context) },
          {
            streamRecordUsage: ({ sequence }) =>
              sequence === 13n ? [{ field: "sequence", description: "must bring luck" }] : [],
          },
        ),
      ],
    });
  });
  after(() => server.stop());

  /** Answers each request, bad or good. */
  async function* answerJudged(requests: Requests, context: CallContext) {
    for await (const { message, error } of requests.judged()) {
      const { sequence } = message;
      if (error === undefined) yield { sequence };
      else {
        yield { sequence, result: { case: "error" as const, value: context.toStatus(error) } };
      }
    }
  }

  async function* answerGood(requests: Requests) {
    for await (const { sequence } of requests) yield { sequence };
  }

  /** Sends bytes as they are, and reads to the end. */
  async function callWith(messages: readonly Uint8Array[]) {
    const client = new Client(server.address, credentials.createInsecure());
    const same = (bytes: Buffer) => bytes;
    const call = client.makeBidiStreamRequest(PATH, same, same, new Metadata());
    const seen: StreamRecordUsageResponse[] = [];
    call.on("data", (bytes: Buffer) => seen.push(fromBinary(ResponseSchema, bytes)));
    call.on("error", () => undefined);
    for (const message of messages) call.write(Buffer.from(message));
    call.end();
    const status = await new Promise<StatusObject>((resolve) => call.once("status", resolve));
    client.close();
    const answers = seen.map(({ sequence, result }) =>
      result.case === "error" ? [sequence, Code[result.value.code]] : [sequence, "OK"],
    );
    return { answers, code: Code[status.code] };
  }

  function encode(init: Init): Uint8Array {
    return toBinary(RequestSchema, create(RequestSchema, init));
  }

  const usage = { userId: "u", provider: "acme", model: "sonnet" };
  const good = (sequence: bigint) => encode({ sequence, request: { usage } });
  /** A text of bytes that are no UTF-8. */
  const brokenText = [0x12, 5, 0x12, 3, 0xff, 0xfe, 0xfd];

  it("reach a handler that asks for judged ones, good and bad", async () => {
    handle = answerJudged;
    const messages = [good(1n), encode({ sequence: 2n }), good(13n), good(14n)];
    expect(await callWith(messages)).to.deep.equal({
      answers: [
        [1n, "OK"],
        [2n, "INVALID_ARGUMENT"],
        [13n, "INVALID_ARGUMENT"],
        [14n, "OK"],
      ],
      code: "OK",
    });
  });

  it("have their numbers when they do not decode", async () => {
    handle = answerJudged;
    const messages = [
      Uint8Array.from([0x08, 7, ...brokenText]),
      Uint8Array.from([...brokenText, 0x08, 8]),
      Uint8Array.from([0x08, 9, 0x12, 100, 1]),
      Uint8Array.from([0x12, 100, 1]),
      Uint8Array.from([0x0a, 1, 0x61]),
      good(10n),
    ];
    const { answers, code } = await callWith(messages);
    const bad = "INVALID_ARGUMENT";
    expect(answers).to.deep.equal([
      [7n, bad],
      [8n, bad],
      [9n, bad],
      [0n, bad],
      [0n, bad],
      [10n, "OK"],
    ]);
    expect(code).to.equal("OK");
  });

  it("tell what they weigh", async () => {
    const sizes: number[] = [];
    handle = async function* (requests) {
      for await (const { sizeBytes } of requests.judged()) {
        sizes.push(sizeBytes);
        yield {};
      }
    };
    const messages = [good(1n), good(2n ** 40n)];
    await callWith(messages);
    expect(sizes).to.deep.equal(messages.map(({ length }) => length));
  });

  it("fail at the first bad one for a handler that iterates over them", async () => {
    handle = answerGood;
    for (const bad of [encode({ sequence: 2n }), Uint8Array.from([0x08, 2, ...brokenText])]) {
      expect(await callWith([good(1n), bad, good(3n)])).to.deep.equal({
        answers: [[1n, "OK"]],
        code: "INVALID_ARGUMENT",
      });
    }
  });
});
