import { once } from "node:events";
import { Agent, request } from "node:http";
import { type ClientHttp2Session, connect as connectHttp2 } from "node:http2";
import { connect, type Socket } from "node:net";
import { create, toBinary } from "@bufbuild/protobuf";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { CheckQuotaRequestSchema, QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { createGrpcClient, type GrpcClient } from "../../src/client/grpc-client.js";
import type { CallGuard } from "../../src/server/guards.js";
import type { ServiceHandlers } from "../../src/server/handler.js";
import type { ServerLimits } from "../../src/server/limits.js";
import type { Admission } from "../../src/server/limits-admission.js";
import { createAdmission } from "../../src/server/limits-admission.js";
import { createRateLimiter, type RateLimiter } from "../../src/server/limits-rate.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { postJson, startHttpServer } from "./http-test-server.js";
import { CHECK_QUOTA, frame } from "./raw-call.js";
import { createGate, startQuotaServer } from "./test-server.js";

/** What both kinds of server can be started with. */
interface PortOptions {
  readonly limits?: Partial<ServerLimits>;
  readonly admission?: Admission;
  readonly guards?: readonly CallGuard[];
  readonly rateLimiter?: RateLimiter;
}

interface TestPort {
  readonly address: string;
  readonly port: number;
  stop(): Promise<void>;
}

type QuotaHandlers = ServiceHandlers<typeof QuotaChecker>;

const PORTS: readonly [string, (h: QuotaHandlers, o: PortOptions) => Promise<TestPort>][] = [
  ["gRPC", startQuotaServer],
  ["HTTP", (quota, options) => startHttpServer({ quota }, options)],
];

const REQUEST = Buffer.from(
  toBinary(CheckQuotaRequestSchema, create(CheckQuotaRequestSchema, { userId: "u" })),
);

for (const [name, startPort] of PORTS) {
  describe(`limits of the ${name} port`, () => {
    const opened: { destroy(): unknown }[] = [];
    let server: TestPort;
    let client: GrpcClient<typeof QuotaChecker>;

    afterEach(async () => {
      for (const connection of opened.splice(0)) connection.destroy();
      client?.close();
      await server.stop();
    });

    async function start(options: PortOptions, checkQuota?: QuotaHandlers["checkQuota"]) {
      server = await startPort({ checkQuota: checkQuota ?? (() => ({ allowed: true })) }, options);
      // The HTTP port speaks gRPC as well.
      client = createGrpcClient(QuotaChecker, server.address, { timeoutMs: 10_000 });
    }

    function openSession(): ClientHttp2Session {
      const session = connectHttp2(`http://${server.address}`);
      session.on("error", () => undefined);
      opened.push(session);
      return session;
    }

    function call(session: ClientHttp2Session, headers: Record<string, string> = {}) {
      const stream = session.request({
        ":method": "POST",
        ":path": CHECK_QUOTA,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      });
      // An error's own name would make `once` fail.
      stream.on("error", (error) => stream.emit("refused", error));
      stream.end(frame(REQUEST));
      stream.resume();
      return stream;
    }

    async function open(): Promise<Socket> {
      const socket = connect(server.port, "127.0.0.1");
      socket.on("error", () => undefined);
      opened.push(socket);
      socket.resume();
      await once(socket, "connect");
      return socket;
    }

    it("close connections beyond their number, until others have closed", async () => {
      await start({ limits: { maxConnections: 2 } });
      const held = [await open(), await open()];
      await once(await open(), "close");
      for (const socket of held) socket.destroy();
      await eventually("there is room again", () =>
        client.checkQuota({ userId: "u" }, { timeoutMs: 500 }).then(
          () => true,
          () => false,
        ),
      );
    });

    it("tell clients how many calls a connection may have, and how large headers may be", async () => {
      await start({ limits: { maxConcurrentStreams: 3, maxHeaderBytes: 16_384 } });
      const session = openSession();
      const [settings] = await once(session, "remoteSettings");
      expect(settings).to.include({ maxConcurrentStreams: 3, maxHeaderListSize: 16_384 });
    });

    it("end calls whose headers are too large, and no others", async () => {
      await start({ limits: { maxHeaderBytes: 16_384 } });
      const session = openSession();
      await once(session, "remoteSettings");
      const large = call(session, { "x-large": "x".repeat(20_000) });
      const [error] = await once(large, "refused");
      expect(String(error)).to.include("ENHANCE_YOUR_CALM");
      expect((await client.checkQuota({ userId: "u" })).allowed).to.equal(true);
    });

    it("cut off clients that ping without end", async () => {
      await start({ limits: { maxPingsPerSecond: 2 } });
      const session = openSession();
      await once(session, "connect");
      const goneAway = once(session, "goaway");
      // More than are allowed in ten seconds, one after the other: a client holds few back.
      const gone = once(session, "close");
      for (let sent = 0; sent < 25 && !session.destroyed; sent += 1) {
        const answered = new Promise((resolve) => session.ping(resolve));
        await Promise.race([answered, gone]);
      }
      const [code] = await goneAway;
      expect(code).to.equal(11);
      expect((await client.checkQuota({ userId: "u" })).allowed).to.equal(true);
    });

    it("let pings be that only see whether it lives", async () => {
      await start({ limits: { maxPingsPerSecond: 2 } });
      const session = openSession();
      await once(session, "connect");
      for (let sent = 0; sent < 20; sent += 1) {
        await new Promise<void>((resolve, reject) =>
          session.ping((error) => (error ? reject(error) : resolve())),
        );
      }
      expect(session.destroyed).to.equal(false);
    });

    it("close connections whose client does not answer any more", async () => {
      await start({ limits: { keepaliveTimeMs: 30, keepaliveTimeoutMs: 30 } });
      const socket = await open();
      // The client's part of the handshake, and then nothing ever again.
      socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
      socket.write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
      await once(socket, "close");
    });

    it("ask old connections to go, and cut their calls after the grace", async () => {
      const gate = createGate();
      await start({ limits: { maxConnectionAgeMs: 100, connectionAgeGraceMs: 100 } }, async () => {
        await gate.opened;
        return { allowed: true };
      });
      const session = openSession();
      const stream = call(session);
      const [code] = await once(session, "goaway");
      expect(code).to.equal(0);
      expect(stream.destroyed).to.equal(false);
      await once(stream, "close");
      gate.open();
    });

    it("end calls at the latest deadline, and at the default without one", async () => {
      let sawAbort = false;
      await start(
        { limits: { defaultDeadlineMs: 60, maxDeadlineMs: 120 } },
        (_request, context) => {
          return new Promise((_resolve, reject) => {
            context.signal.addEventListener("abort", () => {
              sawAbort = true;
              reject(context.signal.reason);
            });
          });
        },
      );
      const hasDeadline = await rpcFailure(
        client.checkQuota({ userId: "u" }, { timeoutMs: 9_000 }),
      );
      expect(hasDeadline.code).to.equal(Code.DEADLINE_EXCEEDED);
      expect(hasDeadline.reason).to.equal("DEADLINE_EXCEEDED");
      expect(sawAbort).to.equal(true);
      const timeoutMs = Number.POSITIVE_INFINITY;
      const hasNone = await rpcFailure(client.checkQuota({ userId: "u" }, { timeoutMs }));
      expect(hasNone.code).to.equal(Code.DEADLINE_EXCEEDED);
    });

    it("refuse calls while too many wait, and take them again after", async () => {
      const admission = createAdmission({ maxCallsInFlight: 10, maxLagMs: 60_000 });
      const gate = createGate();
      await start({ admission, guards: [admission.guard] }, async () => {
        await gate.opened;
        return { allowed: true };
      });
      const calls = Array.from({ length: 50 }, () => client.checkQuota({ userId: "u" }));
      const settled = calls.map((each) =>
        each.then(
          () => "OK",
          ({ code, reason, details }) => {
            expect(code).to.equal(Code.RESOURCE_EXHAUSTED);
            expect(details.retryInfo?.retryDelay?.nanos).to.equal(500_000_000);
            return reason;
          },
        ),
      );
      await Promise.all(settled.slice(10));
      expect(admission.callsInFlight).to.equal(10);
      gate.open();
      const outcomes = await Promise.all(settled);
      expect(outcomes.filter((outcome) => outcome === "OK")).to.have.lengthOf(10);
      expect(outcomes.filter((outcome) => outcome === "OVERLOADED")).to.have.lengthOf(40);
      await eventually("none is counted any more", () => admission.callsInFlight === 0);
      expect((await client.checkQuota({ userId: "u" })).allowed).to.equal(true);
      admission.stop();
    });

    it("let a caller make so many calls a second", async () => {
      let nowMs = 0;
      await start({ rateLimiter: createRateLimiter(4, () => nowMs) });
      for (let made = 0; made < 4; made += 1) await client.checkQuota({ userId: "u" });
      const error = await rpcFailure(client.checkQuota({ userId: "u" }));
      expect(error.code).to.equal(Code.RESOURCE_EXHAUSTED);
      expect(error.reason).to.equal("RATE_LIMITED");
      expect(error.details.retryInfo?.retryDelay?.nanos).to.equal(250_000_000);
      nowMs += 250;
      expect((await client.checkQuota({ userId: "u" })).allowed).to.equal(true);
      expect((await rpcFailure(client.checkQuota({ userId: "u" }))).reason).to.equal(
        "RATE_LIMITED",
      );
    });
  });
}

describe("limits of HTTP/1.1", () => {
  it("refuse headers that are too large", async () => {
    const server = await startHttpServer({}, { limits: { maxHeaderBytes: 8_192 } });
    const answer = await fetch(`${server.url}/healthz`, { headers: { x: "x".repeat(10_000) } });
    expect(answer.status).to.equal(431);
    expect((await fetch(`${server.url}/healthz`)).status).to.equal(200);
    await server.stop();
  });

  it("close old connections with an answer", async () => {
    const server = await startHttpServer({}, { limits: { maxConnectionAgeMs: 50 } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const closing = () =>
      new Promise<boolean>((resolve, reject) => {
        const sent = request(`${server.url}/healthz`, { agent }, (response) => {
          response.resume();
          response.once("end", () => resolve(response.headers.connection === "close"));
        });
        sent.once("error", reject);
        sent.end();
      });
    expect(await closing()).to.equal(false);
    await eventually("it is asked to go", closing);
    agent.destroy();
    await server.stop();
  });

  it("apply to calls in JSON", async () => {
    const admission = createAdmission({ maxCallsInFlight: 0, maxLagMs: 1_000 });
    const server = await startHttpServer({}, { admission, guards: [admission.guard] });
    const quota = "/tally.v1.QuotaChecker/CheckQuota";
    expect((await postJson(server.url + quota, '{"userId":"u"}')).status).to.equal(404);
    const health = await postJson(`${server.url}/grpc.health.v1.Health/Check`, "{}");
    expect(health.status).to.equal(200);
    admission.stop();
    await server.stop();
  });
});

describe("createAdmission", () => {
  const call = { method: "tally.v1.QuotaChecker/CheckQuota" };

  it("refuses what comes late in a turn that takes too long, and nothing in the next", async () => {
    let nowMs = 0;
    const admission = createAdmission({ maxCallsInFlight: 10, maxLagMs: 100 }, () => nowMs);
    const isRefused = () => {
      try {
        admission.guard(call);
        return false;
      } catch {
        return true;
      }
    };
    for (let made = 0; made < 1_000; made += 1) expect(isRefused()).to.equal(false);
    nowMs += 150;
    expect(isRefused()).to.equal(true);
    // The timer tells that a new turn of the loop has begun.
    await eventually("a new turn has begun", () => !isRefused());
    admission.stop();
  });

  it("takes the first calls after a suspension", () => {
    let nowMs = 0;
    const admission = createAdmission({ maxCallsInFlight: 10, maxLagMs: 100 }, () => nowMs);
    nowMs += 3_600_000;
    for (let made = 0; made < 64; made += 1) admission.guard(call);
    expect(() => admission.guard(call)).to.throw("behind");
    admission.stop();
  });
});
