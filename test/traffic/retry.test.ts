import { create, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.js";
import { RpcError } from "../../src/client/grpc-client.js";
import { createRetrier, ServerGoneError } from "../../src/traffic/retry.js";
import { rejection } from "./temp-file.js";

const NEVER = new AbortController().signal;

function rpcError<D extends DescMessage>(code: Code, schema?: D, detail?: MessageInitShape<D>) {
  const details = schema && detail ? [anyPack(schema, create(schema, detail))] : [];
  return new RpcError(create(StatusSchema, { code, message: "told so", details }));
}

/** A call that fails so many times and then answers, and how often it was made. */
function failing(times: number, error: Error) {
  const call = {
    made: 0,
    async run() {
      call.made += 1;
      if (call.made <= times) throw error;
      return "answer";
    },
  };
  return call;
}

describe("createRetrier", () => {
  const PASSING: readonly (readonly [name: string, error: RpcError])[] = [
    ["UNAVAILABLE", rpcError(Code.UNAVAILABLE)],
    ["RESOURCE_EXHAUSTED", rpcError(Code.RESOURCE_EXHAUSTED)],
    ["DEADLINE_EXCEEDED", rpcError(Code.DEADLINE_EXCEEDED)],
    ["INTERNAL of a broken connection", rpcError(Code.INTERNAL)],
    ["CANCELLED by a broken connection", rpcError(Code.CANCELLED)],
  ];
  for (const [name, error] of PASSING) {
    it(`calls again after ${name}`, async () => {
      const retried: RpcError[] = [];
      const retrier = createRetrier({
        retryForMs: 60_000,
        onRetry: (cause) => retried.push(cause),
      });
      const call = failing(2, error);
      expect(await retrier.run(call.run, NEVER)).to.equal("answer");
      expect(call.made).to.equal(3);
      expect(retried).to.deep.equal([error, error]);
    });
  }

  const LASTING: readonly (readonly [name: string, error: Error])[] = [
    ["INVALID_ARGUMENT", rpcError(Code.INVALID_ARGUMENT)],
    [
      "INTERNAL that the server has a reason for",
      rpcError(Code.INTERNAL, ErrorInfoSchema, { reason: "INTERNAL", domain: "tally" }),
    ],
    ["what is no answer of a server", new TypeError("defect")],
  ];
  for (const [name, error] of LASTING) {
    it(`gives up at once on ${name}`, async () => {
      const call = failing(1, error);
      const retrier = createRetrier({ retryForMs: 60_000 });
      expect(await rejection(retrier.run(call.run, NEVER))).to.equal(error);
      expect(call.made).to.equal(1);
    });
  }

  it("waits as long as the server asks", async () => {
    const error = rpcError(Code.UNAVAILABLE, RetryInfoSchema, { retryDelay: durationFromMs(200) });
    const startedMs = performance.now();
    await createRetrier({ retryForMs: 60_000 }).run(failing(1, error).run, NEVER);
    expect(performance.now() - startedMs).to.be.within(198, 2_000);
  });

  it("gives up when there was no answer for too long, and tells the last error", async () => {
    const retrier = createRetrier({ retryForMs: 0 });
    const error = await rejection(retrier.run(failing(1, rpcError(Code.UNAVAILABLE)).run, NEVER));
    expect(error).to.be.instanceOf(ServerGoneError);
    expect(error.message).to.equal("no answer for 0 s; last: UNAVAILABLE: told so");
  });

  it("ends its waiting when it is told to", async () => {
    const stop = new AbortController();
    const retrier = createRetrier({
      retryForMs: 60_000,
      onRetry: () => setImmediate(() => stop.abort()),
    });
    const error = rpcError(Code.UNAVAILABLE, RetryInfoSchema, {
      retryDelay: durationFromMs(3_600_000),
    });
    const { name } = await rejection(retrier.run(failing(1, error).run, stop.signal));
    expect(name).to.equal("AbortError");
  });
});
