import { once } from "node:events";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { expect } from "chai";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import { connectFailure, type HttpTestServer, startHttpServer } from "./http-test-server.js";
import { createGate, type Gate } from "./test-server.js";

/** Long enough that no test waits for it to pass. */
const LONG_GRACE_MS = 60_000;

describe("stopping a server of HTTP", () => {
  let server: HttpTestServer;
  let gate: Gate;
  let begun: Gate;

  beforeEach(async () => {
    gate = createGate();
    begun = createGate();
    server = await startHttpServer({
      quota: {
        async checkQuota() {
          begun.open();
          await gate.opened;
          return { allowed: true };
        },
      },
      usage: {
        async *watchActiveRequests(_request, { signal }) {
          yield { snapshot: true };
          await new Promise((_resolve, reject) => {
            signal.addEventListener("abort", () => reject(signal.reason));
          });
        },
        async *streamRecordUsage(requests) {
          for await (const { sequence } of requests) yield { sequence };
        },
      },
    });
  });
  afterEach(() => server.stop(0));

  function transport(httpVersion: "1.1" | "2") {
    return createConnectTransport({ baseUrl: server.url, httpVersion });
  }

  for (const httpVersion of ["1.1", "2"] as const) {
    it(`lets calls by HTTP/${httpVersion} finish and then closes the connections`, async () => {
      const client = createClient(QuotaChecker, transport(httpVersion));
      const answer = client.checkQuota({ userId: "u" });
      await begun.opened;
      let isStopped = false;
      const stopped = server.stop(LONG_GRACE_MS).then(() => {
        isStopped = true;
      });
      expect(server.health.isServing()).to.equal(false);
      await refusesConnections(server.port);
      expect(isStopped).to.equal(false);
      gate.open();
      expect((await answer).allowed).to.equal(true);
      await stopped;
    });

    it(`tells streams by HTTP/${httpVersion} to go on elsewhere`, async () => {
      const client = createClient(UsageRecorder, transport(httpVersion));
      let stopped: Promise<void> | undefined;
      const watching = (async () => {
        for await (const _event of client.watchActiveRequests({})) stopped ??= server.stop(9_000);
      })();
      const error = await connectFailure(watching);
      expect(error.code).to.equal(Code.Unavailable);
      expect(error.findDetails(ErrorInfoSchema)[0]?.reason).to.equal("SHUTTING_DOWN");
      await stopped;
    });
  }

  it("ends a stream both ways, whose caller is not done", async () => {
    const client = createClient(UsageRecorder, transport("2"));
    let stopped: Promise<void> | undefined;
    async function* requests() {
      yield { sequence: 1n, request: { usage: { userId: "u", model: "m" } } };
      await new Promise(() => {});
    }
    const recording = (async () => {
      for await (const { sequence } of client.streamRecordUsage(requests())) {
        expect(sequence).to.equal(1n);
        stopped = server.stop(LONG_GRACE_MS);
      }
    })();
    const error = await connectFailure(recording);
    expect(error.findDetails(ErrorInfoSchema)[0]?.reason).to.equal("SHUTTING_DOWN");
    await stopped;
  });

  it("closes connections that nobody uses, and those that have said nothing", async () => {
    const agent = new Agent({ keepAlive: true });
    const call = request(`${server.url}/healthz`, { agent });
    call.end();
    const [answer] = await once(call, "response");
    answer.resume();
    await once(answer, "end");
    const silent = connect(server.port, "127.0.0.1");
    await once(silent, "connect");
    silent.resume();
    await Promise.all([server.stop(LONG_GRACE_MS), once(silent, "close")]);
    agent.destroy();
  });

  it("cuts what does not finish in the grace time", async () => {
    const client = createClient(QuotaChecker, transport("1.1"));
    const failure = connectFailure(client.checkQuota({ userId: "u" }));
    await begun.opened;
    await server.stop(20);
    expect((await failure).code).to.be.oneOf([Code.Aborted, Code.Unavailable, Code.Unknown]);
  });
});

async function refusesConnections(port: number): Promise<void> {
  const socket = connect(port, "127.0.0.1");
  const [error] = await once(socket, "error");
  expect(error).to.have.property("code", "ECONNREFUSED");
}
