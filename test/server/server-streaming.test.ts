import { once } from "node:events";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import {
  Operations,
  type PurgeUsageRequest,
  type PurgeUsageResponseSchema,
} from "../../gen/tally/v1/operations_pb.js";
import { DomainError } from "../../src/errors.js";
import type { CallContext } from "../../src/server/context.js";
import { implement } from "../../src/server/handler.js";
import { eventually } from "../support/eventually.js";
import { createGate, failureOf, startTestServer, type TestServer } from "./test-server.js";

type Response = MessageInitShape<typeof PurgeUsageResponseSchema>;

/** More than the buffers of both ends hold together. */
const FLOOD = 50_000;

// A server-streaming method of the contract, with handlers of the tests.
describe("a server-streaming method over gRPC", () => {
  let server: TestServer;
  let handle: (request: PurgeUsageRequest, context: CallContext) => AsyncIterable<Response>;

  beforeEach(async () => {
    const handlers = {
      purgeUsage: (request: PurgeUsageRequest, context: CallContext) => handle(request, context),
    };
    server = await startTestServer({ services: [implement(Operations, handlers)] });
  });
  afterEach(() => server.stop(0));

  function call(settings: { signal?: AbortSignal; timeoutMs?: number } = {}, daysToKeep = 1) {
    return server.client(Operations).purgeUsage({ daysToKeep }, settings);
  }

  async function drainOf(responses: AsyncIterable<{ records: bigint }>): Promise<bigint[]> {
    const seen: bigint[] = [];
    for await (const { records } of responses) seen.push(records);
    return seen;
  }

  /** Responses as they are told, until the caller is gone. */
  async function* untilAborted({ signal }: CallContext): AsyncGenerator<Response> {
    yield { records: 1n };
    if (!signal.aborted) await once(signal, "abort");
    throw signal.reason;
  }

  it("sends what the handler makes, and ends with it", async () => {
    handle = async function* ({ daysToKeep }) {
      for (let left = daysToKeep; left > 0; left -= 1) yield { records: BigInt(left) };
    };
    expect(await drainOf(call({}, 3))).to.deep.equal([3n, 2n, 1n]);
  });

  it("refuses a request that breaks a rule before the handler sees it", async () => {
    let wasCalled = false;
    handle = async function* () {
      wasCalled = true;
      yield {};
    };
    const error = await failureOf(drainOf(call({}, -1)));
    expect(error.reason).to.equal("INVALID_FIELD");
    expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("days_to_keep");
    expect(wasCalled).to.equal(false);
  });

  it("ends with the handler's error after the responses before it, and logs a defect", async () => {
    handle = async function* () {
      yield { records: 1n };
      throw new Error("a secret");
    };
    const seen: bigint[] = [];
    const error = await failureOf(
      (async () => {
        for await (const { records } of call()) seen.push(records);
      })(),
    );
    expect(seen).to.deep.equal([1n]);
    expect(error.code).to.equal(Code.INTERNAL);
    expect(error.message).not.to.include("secret");
    expect(server.lines.filter(({ level }) => level === "error")).to.have.length(1);
  });

  it("makes no more than the caller takes", async () => {
    let made = 0;
    handle = async function* () {
      for (; made < FLOOD; made += 1) yield { records: BigInt(made) };
    };
    const responses = call()[Symbol.asyncIterator]();
    await responses.next();
    await eventually(
      "it comes to rest",
      atRest(() => made),
    );
    expect(made).to.be.below(FLOOD / 4);
    let taken = 1;
    while (!(await responses.next()).done) taken += 1;
    expect(taken).to.equal(FLOOD);
  });

  it("tells the handler that the caller is gone", async () => {
    let reason: unknown;
    handle = async function* (_request, context) {
      try {
        yield* untilAborted(context);
      } catch (error) {
        reason = error;
        throw error;
      }
    };
    const caller = new AbortController();
    const error = await failureOf(
      (async () => {
        for await (const _ of call({ signal: caller.signal })) caller.abort();
      })(),
    );
    expect(error.code).to.equal(Code.CANCELLED);
    await eventually("the handler sees it", () => reason !== undefined);
    expect(reason).to.be.instanceOf(DomainError).and.include({ reason: "CANCELLED" });
  });

  it("tells the handler that the deadline has passed", async () => {
    let reason: unknown;
    handle = async function* (_request, context) {
      context.signal.addEventListener("abort", () => {
        reason = context.signal.reason;
      });
      yield* untilAborted(context);
    };
    const error = await failureOf(drainOf(call({ timeoutMs: 50 })));
    expect(error.code).to.equal(Code.DEADLINE_EXCEEDED);
    await eventually("the handler sees it", () => reason !== undefined);
    expect(reason).to.be.instanceOf(DomainError).and.include({ reason: "DEADLINE_EXCEEDED" });
  });

  it("calls return of an iterator that waits when the caller is gone", async () => {
    let isReturned = false;
    const waits = createGate();
    handle = () => ({
      [Symbol.asyncIterator]: () => ({
        async next() {
          await waits.opened;
          return { done: true, value: undefined };
        },
        async return() {
          isReturned = true;
          waits.open();
          return { done: true, value: undefined };
        },
      }),
    });
    const error = await failureOf(drainOf(call({ timeoutMs: 50 })));
    expect(error.code).to.equal(Code.DEADLINE_EXCEEDED);
    await eventually("return was called", () => isReturned);
  });

  it("ends an endless stream with SHUTTING_DOWN when the server stops", async () => {
    handle = (_request, context) => untilAborted(context);
    let stopped: Promise<void> | undefined;
    const seen: bigint[] = [];
    const error = await failureOf(
      (async () => {
        for await (const { records } of call()) {
          seen.push(records);
          stopped = server.stopServer(60_000);
        }
      })(),
    );
    expect(seen).to.deep.equal([1n]);
    expect([error.code, error.reason]).to.deep.equal([Code.UNAVAILABLE, "SHUTTING_DOWN"]);
    expect(error.details.retryInfo).not.to.equal(undefined);
    await stopped;
  });

  it("lets a stream that comes to an end finish when the server stops", async () => {
    const isStopping = createGate();
    handle = async function* () {
      yield { records: 1n };
      await isStopping.opened;
      yield { records: 2n };
    };
    let stopped: Promise<void> | undefined;
    const seen: bigint[] = [];
    for await (const { records } of call()) {
      seen.push(records);
      stopped ??= server.stopServer(60_000);
      isStopping.open();
    }
    expect(seen).to.deep.equal([1n, 2n]);
    await stopped;
  });
});

/** True at the second look that finds the figure unchanged. */
function atRest(figure: () => number): () => boolean {
  let last = 0;
  return () => {
    const isAtRest = figure() === last && last > 0;
    last = figure();
    return isAtRest;
  };
}
