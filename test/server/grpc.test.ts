import { createServer } from "node:net";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { type CheckQuotaRequest, QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import { DomainError, notFound } from "../../src/errors.js";
import type { CallContext } from "../../src/server/context.js";
import { implement } from "../../src/server/handler.js";
import { eventually } from "../support/eventually.js";
import {
  createGate,
  failureOf,
  startQuotaServer,
  startTestServer,
  type TestServer,
} from "./test-server.js";

describe("a unary method over gRPC", () => {
  let server: TestServer;
  let handle: (request: CheckQuotaRequest, context: CallContext) => unknown;

  before(async () => {
    server = await startQuotaServer(
      { checkQuota: async (request, context) => (await handle(request, context)) ?? {} },
      { classify: (error) => (error === AWAY ? databaseAway(error) : undefined) },
    );
  });
  after(() => server.stop());
  beforeEach(() => {
    handle = () => undefined;
  });

  const AWAY = new Error("connect ECONNREFUSED /run/postgresql");
  const databaseAway = (cause: unknown) =>
    new DomainError("DATABASE_UNAVAILABLE", "the database is away", { cause });

  it("hands the request to the handler and its answer to the caller", async () => {
    let received: CheckQuotaRequest | undefined;
    handle = (request) => {
      received = request;
      return { allowed: true, remainingNanoUsd: 2n ** 62n, warnings: [{ budgetId: "b" }] };
    };
    const estimate = { inputTokens: 2n ** 40n };
    const answer = await server.quota.checkQuota({
      userId: "\ufeffgr\u00fcn \ud83d\ude00",
      expectation: { case: "estimate", value: estimate },
      tags: { team: "core" },
    });
    expect(received?.userId).to.equal("\ufeffgr\u00fcn \ud83d\ude00");
    expect(received?.expectation.value).to.include(estimate);
    expect(received?.tags).to.deep.equal({ team: "core" });
    expect(answer).to.include({ allowed: true, remainingNanoUsd: 2n ** 62n });
    expect(answer.warnings[0]?.budgetId).to.equal("b");
  });

  it("takes an answer that needs no waiting", async () => {
    const direct = await startQuotaServer({ checkQuota: () => ({ allowed: true }) });
    try {
      expect((await direct.quota.checkQuota({ userId: "u" })).allowed).to.equal(true);
    } finally {
      await direct.stop();
    }
  });

  it("does not mix up calls that run at the same time", async () => {
    const gate = createGate();
    let waiting = 0;
    handle = async ({ userId }) => {
      waiting += 1;
      await gate.opened;
      return { message: userId };
    };
    const ids = Array.from({ length: 300 }, (_, index) => `user-${index}`);
    const answers = ids.map((userId) => server.quota.checkQuota({ userId }));
    await eventually("all calls reach the handler", () => waiting === ids.length);
    gate.open();
    expect((await Promise.all(answers)).map(({ message }) => message)).to.deep.equal(ids);
  });

  it("answers a request that breaks rules with all of them, before the handler", async () => {
    let wasCalled = false;
    handle = () => {
      wasCalled = true;
    };
    const error = await failureOf(
      server.quota.checkQuota({ userId: "a\0", estimatedTokens: -1n, model: "m".repeat(201) }),
    );
    expect(error.code).to.equal(Code.INVALID_ARGUMENT);
    expect(error.reason).to.equal("INVALID_FIELD");
    const fields = error.details.badRequest?.fieldViolations.map(({ field }) => field);
    expect(fields).to.deep.equal(["user_id", "model", "estimated_tokens"]);
    expect(error.message).to.include('user_id: must not contain NUL (was "a\\u0000")');
    expect(wasCalled).to.equal(false);
  });

  it("sends a domain error with its details", async () => {
    handle = () => {
      throw notFound("SUBJECT_NOT_FOUND", { type: "user", name: "gr\u00fcn" });
    };
    const error = await failureOf(server.quota.checkQuota({ userId: "u" }));
    expect(error.code).to.equal(Code.NOT_FOUND);
    expect(error.reason).to.equal("SUBJECT_NOT_FOUND");
    expect(error.message).to.equal('user "gr\\u00fcn" does not exist');
    expect(error.details.resourceInfo?.resourceName).to.equal("gr\u00fcn");
  });

  it("logs a defect with its cause, and sends only where to look", async () => {
    handle = () => {
      throw new TypeError("secret of the house");
    };
    const error = await failureOf(
      server.quota.checkQuota({ userId: "u" }, { headers: { "x-request-id": "call-7" } }),
    );
    expect(error.code).to.equal(Code.INTERNAL);
    expect(error.reason).to.equal("INTERNAL");
    expect(error.details.errorInfo?.metadata).to.deep.equal({ request_id: "call-7" });
    expect(JSON.stringify([error.message, error.details])).not.to.include("secret");
    const line = server.lines.find(({ requestId }) => requestId === "call-7");
    expect(line).to.include({ level: "error", method: "tally.v1.QuotaChecker/CheckQuota" });
    expect(line?.err).to.include({ type: "TypeError", message: "secret of the house" });
  });

  it("asks the classifier what a foreign error means", async () => {
    handle = () => {
      throw AWAY;
    };
    const error = await failureOf(server.quota.checkQuota({ userId: "u" }));
    expect(error.code).to.equal(Code.UNAVAILABLE);
    expect(error.reason).to.equal("DATABASE_UNAVAILABLE");
    expect(error.details.retryInfo?.retryDelay?.seconds).to.equal(1n);
    expect(error.message).to.equal("the database is away");
  });

  it("calls an answer that cannot be encoded a defect", async () => {
    handle = () => ({ remainingNanoUsd: "no number" });
    const error = await failureOf(server.quota.checkQuota({ userId: "u" }));
    expect(error.code).to.equal(Code.INTERNAL);
    expect(error.reason).to.equal("INTERNAL");
  });

  it("tells the handler about the call", async () => {
    let context: CallContext | undefined;
    let peer = "";
    handle = (_request, given) => {
      context = given;
      peer = given.peer;
    };
    await server.quota.checkQuota({ userId: "u" }, { timeoutMs: 60_000, headers: { "x-a": "b" } });
    expect(context?.method).to.equal("tally.v1.QuotaChecker/CheckQuota");
    expect(peer).to.match(/^127\.0\.0\.1:\d+$/);
    expect(context?.header("x-a")).to.equal("b");
    expect(context?.header("x-missing")).to.equal(undefined);
    expect(Number(context?.deadline)).to.be.closeTo(Date.now() + 60_000, 10_000);
    await server.quota.checkQuota({ userId: "u" }, { timeoutMs: Number.POSITIVE_INFINITY });
    expect(Number(context?.deadline)).to.be.closeTo(Date.now() + 3_600_000, 10_000);
  });

  const requestIds: [string, string, boolean][] = [
    ["takes a sane request id", "call-42", true],
    ["takes none with spaces", "call 42", false],
    ["takes none that is too long", "x".repeat(129), false],
    ["takes no empty one", "", false],
  ];
  for (const [name, id, isTaken] of requestIds) {
    it(name, async () => {
      let requestId = "";
      handle = (_request, context) => {
        requestId = context.requestId;
        expect(context.requestId).to.equal(requestId);
      };
      await server.quota.checkQuota({ userId: "u" }, { headers: { "x-request-id": id } });
      if (isTaken) expect(requestId).to.equal(id);
      else expect(requestId).to.match(/^[0-9a-f]{8}-[0-9a-f-]{27}$/);
    });
  }

  it("writes how long a call took, when debugging", async () => {
    const headers = { "x-request-id": "timed" };
    await server.quota.checkQuota({ userId: "u" }, { headers });
    const line = await eventually("the line is there", () =>
      server.lines.find(({ requestId }) => requestId === "timed"),
    );
    expect(line).to.include({ level: "debug", msg: "call answered" });
    expect(line.durationMs).to.be.a("number");
  });

  it("answers a method without a handler, and one of no service, with UNIMPLEMENTED", async () => {
    for (const call of [
      server.quota.getQuota({ subject: { case: "userId", value: "u" } }),
      server.client(UsageRecorder).getUsage({ requestId: "r" }),
    ]) {
      const error = await failureOf(call);
      expect(error.code).to.equal(Code.UNIMPLEMENTED);
      expect(error.reason).to.equal("UNIMPLEMENTED");
      expect(error.message).to.match(/^this server does not serve tally\.v1\.\w+\/Get\w+$/);
    }
  });
});

describe("guards", () => {
  it("refuse a call before it is decoded, in their order, those that wait too", async () => {
    const order: string[] = [];
    const server = await startQuotaServer(
      { checkQuota: () => ({}) },
      {
        guards: [
          () => void order.push("first"),
          async (context) => {
            await Promise.resolve();
            order.push(`second ${context.header("x-key")}`);
            if (context.header("x-key") !== "good") throw new DomainError("OVERLOADED", "no");
          },
          () => void order.push("third"),
        ],
      },
    );
    try {
      await server.quota.checkQuota({ userId: "u" }, { headers: { "x-key": "good" } });
      expect(order.splice(0)).to.deep.equal(["first", "second good", "third"]);
      const error = await failureOf(server.quota.checkQuota({}, { headers: { "x-key": "bad" } }));
      expect(error.reason).to.equal("OVERLOADED");
      expect(order).to.deep.equal(["first", "second bad"]);
    } finally {
      await server.stop();
    }
  });
});

describe("rules of a service", () => {
  it("are told together with those of the contract", async () => {
    const server = await startTestServer({
      services: [
        implement(
          QuotaChecker,
          { checkQuota: () => ({}) },
          { checkQuota: () => [{ field: "provider", description: "is odd" }] },
        ),
      ],
    });
    try {
      const error = await failureOf(server.quota.checkQuota({}));
      const fields = error.details.badRequest?.fieldViolations.map(({ field }) => field);
      expect(fields).to.deep.equal(["user_id", "provider"]);
    } finally {
      await server.stop();
    }
  });
});

describe("createGrpcServer", () => {
  it("refuses two implementations of one service", async () => {
    const services = [implement(QuotaChecker, { checkQuota: () => ({}) })];
    const error = await startTestServer({ services: [...services, ...services] }).catch(String);
    expect(error).to.equal("Error: tally.v1.QuotaChecker/CheckQuota has two implementations");
  });

  it("says which address is in use and what to do", async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
    const { port } = other.address() as { port: number };
    const address = `127.0.0.1:${port}`;
    try {
      const error = await startQuotaServer({}, { address }).catch((caught: Error) => caught);
      expect(error).to.be.instanceOf(Error).and.have.property("name", "ListenError");
      expect(error)
        .to.have.property("message")
        .that.equals(
          `cannot listen on ${address}: it is in use; stop the process that listens there, ` +
            "or set TALLY_GRPC_ADDRESS to another address",
        );
    } finally {
      other.close();
    }
  });
});
