import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { BudgetScope, UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import {
  type BatchRecordUsageResult,
  ConflictPolicy,
  RecordOutcome,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import { RpcError } from "../../src/client/grpc-client.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import {
  readSpent,
  readTotals,
  sonnetCost,
  USAGE_CATALOG,
  type UsageInit,
  usage,
} from "./usage-fixture.js";

describe("BatchRecordUsage", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
  });
  after(async () => {
    await expectBalancedBooks(app);
    await app.stop();
  });

  async function recordAll(
    inputs: readonly UsageInit[],
    conflictPolicy = ConflictPolicy.UNSPECIFIED,
  ): Promise<BatchRecordUsageResult[]> {
    const requests = inputs.map((input) => ({ usage: input, conflictPolicy }));
    return (await app.clients.recorder.batchRecordUsage({ requests })).results;
  }

  /** The outcome of a good item, the error of a bad one. */
  function show({ result }: BatchRecordUsageResult): string {
    if (result.case === "response") return RecordOutcome[result.value.outcome]!;
    return result.case === "error" ? Code[result.value.code]! : "nothing";
  }

  /** Subjects without sums yet; tokens of the model cost 10^9 nano-USD each. */
  async function absurdSubjects() {
    const model = uniqueId("absurd");
    const perMillion = 10n ** 15n;
    const tier = { inputNanoUsdPerMillion: perMillion, outputNanoUsdPerMillion: perMillion };
    await app.apply({ prices: [{ model, price: { tiers: [tier] } }] });
    return { userId: uniqueId("user"), provider: uniqueId("provider"), model };
  }

  it("answers 1,000 items in their order", async () => {
    const userId = uniqueId("user");
    await app.apply({ budgets: [{ budgetId: userId, scope: BudgetScope.USER, subject: userId }] });
    const inputs = Array.from({ length: 1_000 }, (_, index) =>
      usage({ userId, inputTokens: BigInt(index) }),
    );
    const results = await recordAll(inputs);
    const answered = results.map(({ result }) => {
      if (result.case !== "response") throw new Error(show({ result } as BatchRecordUsageResult));
      return [result.value.record?.requestId, result.value.record?.cost?.totalNanoUsd];
    });
    expect(answered).to.deep.equal(
      inputs.map(({ requestId }, index) => [requestId, sonnetCost(BigInt(index), 100n)]),
    );
    const sum = answered.reduce((total, [, cost]) => total + (cost as bigint), 0n);
    expect(await readSpent(app.database, userId)).to.equal(sum);
    expect((await readTotals(app.database, "USER", userId)).requests).to.equal(1_000n);
  });

  it("judges an id that comes repeatedly in the order of the items", async () => {
    const input = usage();
    const pending = { ...input, status: UsageStatus.PENDING };
    const revised = { ...input, outputTokens: 1n };
    const other = usage();
    const results = await recordAll([pending, other, input, input, revised, other, pending, input]);
    expect(results.map(show)).to.deep.equal([
      "CREATED",
      "CREATED",
      "COMPLETED",
      "REPLAYED",
      "REVISED",
      "REPLAYED",
      "FAILED_PRECONDITION",
      "REVISED",
    ]);
    const { record } = await app.clients.recorder.getUsage({ requestId: input.requestId });
    expect(record).to.deep.include({ outputTokens: 100n, revision: 3n });
    const rejected = await recordAll([input, revised, input], ConflictPolicy.REJECT);
    expect(rejected.map(show)).to.deep.equal(["REPLAYED", "ALREADY_EXISTS", "REPLAYED"]);
  });

  it("tells the violations of each bad item, and records the good ones", async () => {
    const good = [usage(), usage()] as const;
    const bad = usage({ inputTokens: -1n, statusCode: 99, tags: { "": "x" } });
    const results = await app.clients.recorder.batchRecordUsage({
      requests: [
        { usage: good[0] },
        { usage: bad },
        {},
        { usage: usage(), reservationId: "forged" },
        { usage: usage({ inputTokens: 1n, cacheReadInputTokens: 2n, tokenConvention: 2 }) },
        { usage: good[1] },
      ],
    });
    expect(results.results.map(show)).to.deep.equal([
      "CREATED",
      "INVALID_ARGUMENT",
      "INVALID_ARGUMENT",
      "INVALID_ARGUMENT",
      "INVALID_ARGUMENT",
      "CREATED",
    ]);
    expect(fieldsOf(results.results[1]!)).to.have.members([
      "requests[1].usage.input_tokens",
      "requests[1].usage.status_code",
      'requests[1].usage.tags[""]',
    ]);
    expect(fieldsOf(results.results[2]!)).to.deep.equal(["requests[2].usage"]);
    expect(fieldsOf(results.results[3]!)).to.deep.equal(["requests[3].reservation_id"]);
    expect(fieldsOf(results.results[4]!)).to.deep.equal(["requests[4].usage.input_tokens"]);
    expect(reasonOf(results.results[1]!)).to.equal("INVALID_FIELD");
    expect(reasonOf(results.results[3]!)).to.equal("RESERVATION_INVALID");
    const missing = await rpcFailure(app.clients.recorder.getUsage({ requestId: bad.requestId }));
    expect(missing.codeName).to.equal("NOT_FOUND");
  });

  it("fails only the item whose row the database refuses", async () => {
    // Each costs 8 x 10^18 nano-USD, which fits 64 bits; two do not fit their user's total.
    const { userId, ...huge } = await absurdSubjects();
    const inputs = Array.from({ length: 9 }, (_, index) =>
      usage(index === 2 || index === 7 ? { ...huge, userId, inputTokens: 8_000_000_000n } : {}),
    );
    const results = await recordAll(inputs);
    const shown = results.map(show);
    expect(shown.filter((outcome) => outcome === "CREATED")).to.have.length(8);
    expect([shown[2], shown[7]]).to.have.members(["CREATED", "INTERNAL"]);
    expect((await readTotals(app.database, "USER", userId)).cost).to.equal(
      8_000_000_100_000_000_000n,
    );
  });

  it("fails only the revision that the database refuses", async () => {
    const huge = await absurdSubjects();
    const inputs = [usage(huge), usage(), usage(huge)];
    await recordAll(inputs);
    const results = await recordAll([
      { ...inputs[0]!, inputTokens: 8_000_000_000n },
      { ...inputs[1]!, inputTokens: 5n },
      { ...inputs[2]!, inputTokens: 8_000_000_000n },
    ]);
    const shown = results.map(show);
    expect(shown[1]).to.equal("REVISED");
    expect([shown[0], shown[2]]).to.have.members(["REVISED", "INTERNAL"]);
  });

  it("refuses a batch of none and one of more than 1,000", async () => {
    for (const count of [0, 1_001]) {
      const requests = Array.from({ length: count }, () => ({ usage: usage() }));
      const error = await rpcFailure(app.clients.recorder.batchRecordUsage({ requests }));
      expect([error.codeName, error.reason], `${count}`).to.deep.equal([
        "INVALID_ARGUMENT",
        "INVALID_FIELD",
      ]);
      expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("requests");
    }
  });
});

function fieldsOf({ result }: BatchRecordUsageResult): string[] {
  if (result.case !== "error") return [];
  return new RpcError(result.value).details.badRequest!.fieldViolations.map(({ field }) => field);
}

function reasonOf({ result }: BatchRecordUsageResult): string | undefined {
  return result.case === "error" ? new RpcError(result.value).reason : undefined;
}
