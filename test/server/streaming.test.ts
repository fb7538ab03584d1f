import { setImmediate as nextTurn } from "node:timers/promises";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import {
  ServerReflection,
  type ServerReflectionRequest,
  type ServerReflectionResponseSchema,
} from "../../gen/grpc/reflection/v1/reflection_pb.js";
import { DomainError } from "../../src/errors.js";
import type { CallContext } from "../../src/server/context.js";
import { implement } from "../../src/server/handler.js";
import { eventually } from "../support/eventually.js";
import { createGate, failureOf, startTestServer, type TestServer } from "./test-server.js";

type Request = ServerReflectionRequest;
type Response = MessageInitShape<typeof ServerReflectionResponseSchema>;

/** More than the buffers of both ends hold together. */
const FLOOD = 2_000;
const CHUNK = "x".repeat(10_000);

// The one bidirectional method that is generated, with handlers of the tests.
describe("a bidirectional method over gRPC", () => {
  let server: TestServer;
  let handle: (requests: AsyncIterable<Request>, context: CallContext) => AsyncIterable<Response>;

  beforeEach(async () => {
    const handlers = {
      serverReflectionInfo: (requests: AsyncIterable<Request>, context: CallContext) =>
        handle(requests, context),
    };
    server = await startTestServer({
      services: [implement(ServerReflection, handlers)],
      reflection: false,
    });
  });
  afterEach(() => server.stop(0));

  function call(hosts: AsyncIterable<{ host: string }>, signal?: AbortSignal) {
    const settings = signal === undefined ? {} : { signal };
    return server.client(ServerReflection).serverReflectionInfo(hosts, settings);
  }

  async function* echo(requests: AsyncIterable<Request>): AsyncGenerator<Response> {
    for await (const { host } of requests) yield { validHost: host };
  }

  it("answers requests in their order, while they come", async () => {
    handle = echo;
    const turns = createTurns();
    const seen: string[] = [];
    for await (const { validHost } of call(turns.hosts(["a", "b", "c"]))) {
      seen.push(validHost);
      turns.next();
    }
    expect(seen).to.deep.equal(["a", "b", "c"]);
  });

  it("carries any number of messages", async () => {
    handle = echo;
    const hosts = Array.from({ length: FLOOD }, (_, index) => String(index));
    const seen: string[] = [];
    for await (const { validHost } of call(fromList(hosts))) seen.push(validHost);
    expect(seen).to.deep.equal(hosts);
  });

  it("reads no more than the handler takes", async () => {
    const gate = createGate();
    handle = async function* (requests) {
      await gate.opened;
      let count = 0;
      for await (const _ of requests) count += 1;
      yield { validHost: String(count) };
    };
    let sent = 0;
    const hosts = (async function* () {
      for (; sent < FLOOD; sent += 1) yield { host: CHUNK };
    })();
    const answers = call(hosts)[Symbol.asyncIterator]();
    const first = answers.next();
    await settled(() => sent);
    expect(sent)
      .to.be.greaterThan(0)
      .and.below(FLOOD / 4);
    gate.open();
    expect((await first).value?.validHost).to.equal(String(FLOOD));
    expect((await answers.next()).done).to.equal(true);
  });

  it("makes no more answers than the caller takes", async () => {
    let made = 0;
    handle = async function* () {
      for (; made < FLOOD; made += 1) yield { validHost: CHUNK };
    };
    const answers = call(fromList([]))[Symbol.asyncIterator]();
    await answers.next();
    await settled(() => made);
    expect(made).to.be.below(FLOOD / 4);
    let taken = 1;
    while (!(await answers.next()).done) taken += 1;
    expect(taken).to.equal(FLOOD);
  });

  it("ends with the handler's error after the answers before it", async () => {
    handle = async function* () {
      yield { validHost: "first" };
      throw new DomainError("OVERLOADED", "full");
    };
    const seen: string[] = [];
    const error = await failureOf(
      (async () => {
        for await (const { validHost } of call(waiting())) seen.push(validHost);
      })(),
    );
    expect(seen).to.deep.equal(["first"]);
    expect(error.code).to.equal(Code.RESOURCE_EXHAUSTED);
    expect(error.reason).to.equal("OVERLOADED");
  });

  it("ends well when the handler has heard enough", async () => {
    handle = async function* (requests) {
      for await (const { host } of requests) {
        yield { validHost: host };
        return;
      }
    };
    const seen: string[] = [];
    for await (const { validHost } of call(waiting("a"))) seen.push(validHost);
    expect(seen).to.deep.equal(["a"]);
  });

  it("tells a handler that reads that the caller is gone, and lets it clean up", async () => {
    const ends: string[] = [];
    handle = async function* (requests, { signal }) {
      signal.addEventListener("abort", () => ends.push(String(signal.reason.reason)));
      try {
        for await (const { host } of requests) yield { validHost: host };
      } catch (error) {
        ends.push((error as DomainError).reason);
        throw error;
      } finally {
        ends.push("cleaned up");
      }
    };
    const caller = new AbortController();
    const error = await failureOf(
      (async () => {
        for await (const _ of call(waiting("a"), caller.signal)) caller.abort();
      })(),
    );
    expect(error.code).to.equal(Code.CANCELLED);
    await eventually("the handler has ended", () => ends.includes("cleaned up"));
    expect(ends).to.deep.equal(["CANCELLED", "CANCELLED", "cleaned up"]);
  });

  it("stops though a caller sends more than the handler can take", async () => {
    handle = async function* (requests) {
      for await (const { host } of requests) {
        await nextTurn();
        yield { validHost: host };
      }
    };
    let stopped: Promise<void> | undefined;
    const endless = (async function* () {
      for (;;) yield { host: "more" };
    })();
    const error = await failureOf(
      (async () => {
        for await (const _ of call(endless)) stopped ??= server.stopServer(60_000);
      })(),
    );
    expect(error.reason).to.equal("SHUTTING_DOWN");
    await stopped;
  });

  it("answers what it has and ends with SHUTTING_DOWN when the server stops", async () => {
    let stopped: Promise<void> | undefined;
    handle = async function* (requests) {
      for await (const { host } of requests) yield { validHost: host };
      yield { validHost: "last words" };
    };
    const seen: string[] = [];
    const error = await failureOf(
      (async () => {
        for await (const { validHost } of call(waiting("a"))) {
          seen.push(validHost);
          stopped ??= server.stopServer(60_000);
        }
      })(),
    );
    expect(seen).to.deep.equal(["a", "last words"]);
    expect(error.code).to.equal(Code.UNAVAILABLE);
    expect(error.reason).to.equal("SHUTTING_DOWN");
    await stopped;
  });
});

async function* fromList(hosts: Iterable<string>): AsyncGenerator<{ host: string }> {
  for (const host of hosts) yield { host };
}

/** Sends the hosts and keeps its side open. */
async function* waiting(...hosts: string[]): AsyncGenerator<{ host: string }> {
  yield* fromList(hosts);
  await new Promise(() => {});
}

/** Hosts of which each is sent only when it is its turn. */
function createTurns() {
  let gate = createGate();
  return {
    next() {
      gate.open();
    },
    async *hosts(hosts: readonly string[]) {
      for (const host of hosts) {
        yield { host };
        await gate.opened;
        gate = createGate();
      }
    },
  };
}

/** Waits until the figure has stopped growing. */
async function settled(figure: () => number): Promise<void> {
  let last = -1;
  await eventually("it comes to rest", () => {
    const isAtRest = figure() === last && last > 0;
    last = figure();
    return isAtRest;
  });
}
