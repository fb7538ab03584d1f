import { once } from "node:events";
import { connect } from "node:http2";
import { connect as connectSocket } from "node:net";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { eventually } from "../support/eventually.js";
import { CHECK_QUOTA, frame } from "./raw-call.js";
import {
  createGate,
  failureOf,
  type Gate,
  startQuotaServer,
  type TestServer,
} from "./test-server.js";

/** Long enough that no test waits for it to pass. */
const LONG_GRACE_MS = 60_000;

describe("stopping a server", () => {
  let server: TestServer;
  let gate: Gate;
  let begun: Gate;
  let signal: AbortSignal | undefined;

  beforeEach(async () => {
    gate = createGate();
    begun = createGate();
    server = await startQuotaServer({
      async checkQuota(_request, context) {
        signal = context.signal;
        begun.open();
        await gate.opened;
        return { allowed: true };
      },
    });
    server.health.setServing(true);
  });
  afterEach(() => server.stop(0));

  it("lets calls finish and then closes the connections", async () => {
    const answer = server.quota.checkQuota({ userId: "u" });
    await begun.opened;
    let isStopped = false;
    const stopped = server.stopServer(LONG_GRACE_MS).then(() => {
      isStopped = true;
    });
    expect(server.health.isServing()).to.equal(false);
    await refusesConnections(server.port);
    expect(isStopped).to.equal(false);
    expect(signal?.aborted).to.equal(false);
    gate.open();
    expect((await answer).allowed).to.equal(true);
    await stopped;
  });

  it("takes no new calls, neither on new connections nor on old ones", async () => {
    const session = connect(`http://127.0.0.1:${server.port}`);
    const goneAway = once(session, "goaway");
    const inFlight = session.request(requestHeaders());
    inFlight.end(frame(Buffer.from([0x0a, 1, 0x61])));
    await begun.opened;
    const stopped = server.stopServer(LONG_GRACE_MS);
    await goneAway;
    expect(() => session.request(requestHeaders())).to.throw(/GOAWAY|closed/i);
    const error = await failureOf(server.quota.checkQuota({ userId: "u" }));
    expect(error.code).to.equal(Code.UNAVAILABLE);
    const trailers = once(inFlight, "trailers");
    inFlight.resume();
    gate.open();
    expect((await trailers)[0]).to.include({ "grpc-status": "0" });
    await stopped;
  });

  it("closes idle connections at once, also those that never said a word", async () => {
    const socket = connectSocket(server.port, "127.0.0.1");
    await once(socket, "connect");
    const closed = once(socket, "close");
    socket.resume();
    gate.open();
    await server.quota.checkQuota({ userId: "u" });
    await server.stopServer(LONG_GRACE_MS);
    await closed;
  });

  it("cuts what is left after the grace time, and tells the handler", async () => {
    const answer = failureOf(server.quota.checkQuota({ userId: "u" }));
    await begun.opened;
    await server.stopServer(50);
    expect((await answer).code).to.be.oneOf([Code.UNAVAILABLE, Code.CANCELLED]);
    await eventually("the handler is told", () => signal?.aborted);
    const line = server.lines.find(({ level }) => level === "warn");
    expect(line).to.include({ connections: 1 });
    gate.open();
  });

  it("cuts a peer that leaves its side of the connection open", async () => {
    const socket = connectSocket({ port: server.port, host: "127.0.0.1", allowHalfOpen: true });
    socket.resume();
    await once(socket, "connect");
    const closed = once(socket, "end");
    await server.stopServer(50);
    await closed;
    socket.destroy();
  });

  it("ends watches of its health after telling them", async () => {
    const seen: number[] = [];
    const watch = failureOf(
      (async () => {
        for await (const { status } of server.healthClient.watch({})) {
          seen.push(status);
          if (seen.length === 1) void server.stopServer(LONG_GRACE_MS);
        }
      })(),
    );
    const error = await watch;
    expect(seen).to.deep.equal([1, 2]);
    expect(error.code).to.equal(Code.UNAVAILABLE);
    expect(error.reason).to.equal("SHUTTING_DOWN");
    expect(error.details.retryInfo).not.to.equal(undefined);
  });

  it("may be stopped twice", async () => {
    gate.open();
    await server.stopServer(0);
    await server.stopServer(0);
    await refusesConnections(server.port);
  });
});

function requestHeaders() {
  return {
    ":method": "POST",
    ":path": CHECK_QUOTA,
    "content-type": "application/grpc",
    te: "trailers",
  };
}

async function refusesConnections(port: number): Promise<void> {
  const socket = connectSocket(port, "127.0.0.1");
  const [error] = (await once(socket, "error")) as [NodeJS.ErrnoException];
  expect(error.code).to.equal("ECONNREFUSED");
}
