import { once } from "node:events";
import { createServer } from "node:net";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { createGrpcClient } from "../../src/client/grpc-client.js";
import { failureOf, startQuotaServer, type TestServer } from "../server/test-server.js";
import { eventually } from "../support/eventually.js";

describe("createGrpcClient", () => {
  let server: TestServer;
  const peers = new Set<string>();

  before(async () => {
    server = await startQuotaServer({
      async checkQuota({ userId }, { peer, signal }) {
        peers.add(peer);
        if (userId === "slow") await once(signal, "abort");
        return { allowed: true };
      },
    });
  });
  after(() => server.stop());
  beforeEach(() => peers.clear());

  it("spreads calls over as many connections as it is told", async () => {
    const client = createGrpcClient(QuotaChecker, server.address, { connections: 3 });
    try {
      await Promise.all(Array.from({ length: 30 }, () => client.checkQuota({ userId: "u" })));
    } finally {
      client.close();
    }
    expect(peers.size).to.equal(3);
  });

  it("uses one connection by default", async () => {
    await Promise.all(Array.from({ length: 30 }, () => server.quota.checkQuota({ userId: "u" })));
    expect(peers.size).to.equal(1);
  });

  it("gives up after its own time, and after the call's", async () => {
    const client = createGrpcClient(QuotaChecker, server.address, { timeoutMs: 50 });
    try {
      const error = await failureOf(client.checkQuota({ userId: "slow" }));
      expect(error.code).to.equal(Code.DEADLINE_EXCEEDED);
      expect(error.codeName).to.equal("DEADLINE_EXCEEDED");
      expect(error.reason).to.equal(undefined);
    } finally {
      client.close();
    }
    const error = await failureOf(server.quota.checkQuota({ userId: "slow" }, { timeoutMs: 50 }));
    expect(error.code).to.equal(Code.DEADLINE_EXCEEDED);
  });

  it("takes its listener off a signal when the call is over", async () => {
    const caller = new AbortController();
    let listeners = 0;
    const { signal } = caller;
    const add = signal.addEventListener.bind(signal);
    const remove = signal.removeEventListener.bind(signal);
    signal.addEventListener = (...parts: Parameters<typeof add>) => {
      listeners += 1;
      add(...parts);
    };
    signal.removeEventListener = (...parts: Parameters<typeof remove>) => {
      listeners -= 1;
      remove(...parts);
    };
    await server.quota.checkQuota({ userId: "u" }, { signal });
    expect(listeners).to.equal(0);
  });

  it("says UNAVAILABLE when nobody listens", async () => {
    const port = await freePort();
    const client = createGrpcClient(QuotaChecker, `127.0.0.1:${port}`);
    try {
      const error = await failureOf(client.checkQuota({ userId: "u" }));
      expect(error.code).to.equal(Code.UNAVAILABLE);
      expect(error.message).to.include("ECONNREFUSED");
    } finally {
      client.close();
    }
  });

  it("reaches a server that was away", async () => {
    const port = await freePort();
    const client = createGrpcClient(QuotaChecker, `127.0.0.1:${port}`);
    await failureOf(client.checkQuota({ userId: "u" }));
    const later = await startQuotaServer(
      { checkQuota: () => ({ allowed: true }) },
      { address: `127.0.0.1:${port}` },
    );
    try {
      const answer = await eventually("the client has connected anew", () =>
        client.checkQuota({ userId: "u" }).catch(() => undefined),
      );
      expect(answer.allowed).to.equal(true);
    } finally {
      client.close();
      await later.stop();
    }
  });
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
