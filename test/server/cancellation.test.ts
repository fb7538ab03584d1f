import { once } from "node:events";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { DomainError } from "../../src/errors.js";
import type { CallContext } from "../../src/server/context.js";
import { eventually } from "../support/eventually.js";
import { frame, rawCall } from "./raw-call.js";
import { createGate, failureOf, startQuotaServer, type TestServer } from "./test-server.js";

describe("deadlines and cancellation", () => {
  let server: TestServer;
  let handle: (context: CallContext) => Promise<void>;

  before(async () => {
    server = await startQuotaServer({
      async checkQuota(_request, context) {
        await handle(context);
        return {};
      },
    });
  });
  after(() => server.stop());

  it("does not begin work whose deadline has passed", async () => {
    let wasCalled = false;
    handle = async () => {
      wasCalled = true;
    };
    const body = frame(Buffer.from([0x0a, 1, 0x61]));
    const answer = await rawCall(server.port, body, { "grpc-timeout": "0m" });
    expect(answer.code).to.equal(Code.DEADLINE_EXCEEDED);
    expect(answer.error?.reason).to.equal("DEADLINE_EXCEEDED");
    expect(wasCalled).to.equal(false);
  });

  it("aborts the signal when the deadline passes", async () => {
    let reason: unknown;
    handle = async ({ signal }) => {
      await once(signal, "abort");
      reason = signal.reason;
    };
    const error = await failureOf(server.quota.checkQuota({ userId: "u" }, { timeoutMs: 50 }));
    expect(error.code).to.equal(Code.DEADLINE_EXCEEDED);
    await eventually("the handler sees it", () => reason !== undefined);
    expect(reason).to.be.instanceOf(DomainError).and.include({ reason: "DEADLINE_EXCEEDED" });
  });

  it("aborts the signal when the caller goes away", async () => {
    let reason: unknown;
    const caller = new AbortController();
    handle = async (context) => {
      context.throwIfOver();
      const aborted = once(context.signal, "abort");
      caller.abort();
      await aborted;
      expect(() => context.throwIfOver())
        .to.throw(DomainError)
        .with.property("reason", "CANCELLED");
      reason = context.signal.reason;
    };
    const { signal } = caller;
    const error = await failureOf(server.quota.checkQuota({ userId: "u" }, { signal }));
    expect(error.code).to.equal(Code.CANCELLED);
    await eventually("the handler sees it", () => reason !== undefined);
    expect(reason).to.be.instanceOf(DomainError).and.include({ reason: "CANCELLED" });
  });

  it("has an aborted signal for a handler that asks for it too late", async () => {
    const caller = new AbortController();
    const isGone = createGate();
    let context: CallContext | undefined;
    handle = async (given) => {
      context = given;
      caller.abort();
      await isGone.opened;
    };
    await failureOf(server.quota.checkQuota({ userId: "u" }, { signal: caller.signal }));
    await eventually("the server knows", () => isOver(context));
    isGone.open();
    expect(context?.signal.aborted).to.equal(true);
  });

  it("leaves the signal alone when the call was answered", async () => {
    let signal: AbortSignal | undefined;
    handle = async (context) => {
      signal = context.signal;
    };
    await server.quota.checkQuota({ userId: "u" });
    await server.quota.checkQuota({ userId: "u" });
    expect(signal?.aborted).to.equal(false);
  });

  it("does not call a server whose caller has given up already", async () => {
    let wasCalled = false;
    handle = async () => {
      wasCalled = true;
    };
    const signal = AbortSignal.abort();
    const error = await failureOf(server.quota.checkQuota({ userId: "u" }, { signal }));
    expect(error.code).to.equal(Code.CANCELLED);
    expect(wasCalled).to.equal(false);
  });
});

function isOver(context: CallContext | undefined): boolean {
  try {
    context?.throwIfOver();
    return false;
  } catch {
    return true;
  }
}
