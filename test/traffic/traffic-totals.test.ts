import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.js";
import { QuotaReason } from "../../gen/tally/v1/quota_checker_pb.js";
import { UsageRecordSchema } from "../../gen/tally/v1/usage_pb.js";
import { RecordOutcome } from "../../gen/tally/v1/usage_recorder_pb.js";
import { RpcError } from "../../src/client/grpc-client.js";
import { createCallTimings } from "../../src/traffic/call-timings.js";
import { DEMO_CALLERS } from "../../src/traffic/demo-callers.js";
import { generateTraffic } from "../../src/traffic/generator.js";
import {
  addSentRequest,
  createTrafficTotals,
  MAX_ERRORS,
} from "../../src/traffic/traffic-totals.js";

const [request] = generateTraffic({
  seed: 1,
  count: 1,
  callers: DEMO_CALLERS,
  meanGapMs: 1,
  idPrefix: "r",
});

function recorded(userId: string, model: string, totalNanoUsd: bigint) {
  const record = create(UsageRecordSchema, {
    userId,
    model,
    inputTokens: 1n,
    outputTokens: 20n,
    cacheCreationInputTokens: 300n,
    cacheReadInputTokens: 4_000n,
    cost: { totalNanoUsd },
  });
  return { request: request!, recorded: { outcome: RecordOutcome.CREATED, record } };
}

describe("addSentRequest", () => {
  it("adds up tokens and cost, by model and by user", () => {
    const totals = createTrafficTotals();
    addSentRequest(totals, recorded("ada", "gpt-4o", 5n));
    addSentRequest(totals, recorded("ada", "gpt-4o-mini", 7n));
    addSentRequest(totals, recorded("bob", "gpt-4o", 2n ** 60n));
    expect(totals).to.deep.include({ requests: 3, recorded: 3, costNanoUsd: 2n ** 60n + 12n });
    expect(totals.tokens).to.deep.equal({
      input: 3n,
      output: 60n,
      cacheCreation: 900n,
      cacheRead: 12_000n,
    });
    expect(totals.byUser.get("ada")).to.deep.equal({ requests: 2, costNanoUsd: 12n });
    expect(totals.byModel.get("gpt-4o")).to.deep.equal({
      requests: 2,
      costNanoUsd: 2n ** 60n + 5n,
    });
    expect([...totals.outcomes]).to.deep.equal([["CREATED", 3]]);
  });

  it("tells denied, released, lost and failed requests apart", () => {
    const totals = createTrafficTotals();
    addSentRequest(totals, { request: request!, deniedFor: QuotaReason.QUOTA_EXCEEDED });
    addSentRequest(totals, { request: request! });
    addSentRequest(totals, { request: request!, isWarned: true, error: refusal("no") });
    const failed = recorded("ada", "gpt-4o", 1n);
    addSentRequest(totals, { ...failed, request: { ...request!, statusCode: 500 } });
    expect(totals).to.deep.include({
      requests: 4,
      recorded: 1,
      released: 1,
      lost: 1,
      failed: 1,
      warned: 1,
    });
    expect([...totals.denials]).to.deep.equal([["QUOTA_EXCEEDED", 1]]);
    expect(totals.errors).to.deep.equal([`${request!.requestId}: INVALID_ARGUMENT: no`]);
  });

  it("counts a denied request that is recorded all the same as both", () => {
    const totals = createTrafficTotals();
    addSentRequest(totals, {
      ...recorded("ada", "gpt-4o", 1n),
      deniedFor: QuotaReason.QUOTA_EXCEEDED,
    });
    expect(totals).to.deep.include({ requests: 1, recorded: 1, released: 0 });
    expect([...totals.denials]).to.deep.equal([["QUOTA_EXCEEDED", 1]]);
  });

  it("keeps a few errors only", () => {
    const totals = createTrafficTotals();
    for (let number = 0; number < 20; number += 1) {
      addSentRequest(totals, { request: request!, error: refusal(String(number)) });
    }
    expect(totals.lost).to.equal(20);
    expect(totals.errors).to.have.length(MAX_ERRORS);
  });

  function refusal(message: string): RpcError {
    return new RpcError(create(StatusSchema, { code: Code.INVALID_ARGUMENT, message }));
  }
});

describe("createCallTimings", () => {
  it("measures answered calls only", async () => {
    const { record } = createCallTimings();
    expect(record.percentileMs(50)).to.equal(0);
    expect(await record.measure(async () => "answer")).to.equal("answer");
    await record.measure(() => Promise.reject(new Error("no"))).catch(() => undefined);
    expect(record.count).to.equal(1);
    expect(record.percentileMs(99)).to.be.within(0.000_001, 1_000);
  });
});
