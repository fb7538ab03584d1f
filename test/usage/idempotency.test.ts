import { toJson } from "@bufbuild/protobuf";
import { expect } from "chai";
import { RequestLogLevel } from "../../gen/tally/v1/catalog_pb.js";
import {
  BudgetScope,
  UsageRecordSchema,
  UsageStatus,
  UsageView,
} from "../../gen/tally/v1/usage_pb.js";
import {
  ConflictPolicy,
  RecordOutcome,
  type RecordUsageResponse,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import {
  at,
  readSpent,
  readTotals,
  sonnetCost,
  USAGE_CATALOG,
  type UsageInit,
  usage,
} from "./usage-fixture.js";

const { CREATED, COMPLETED, REVISED, REPLAYED } = RecordOutcome;

describe("RecordUsage of a request that is known", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
  });
  after(async () => {
    await expectBalancedBooks(app);
    await app.stop();
  });

  async function record(
    input: UsageInit,
    conflictPolicy = ConflictPolicy.UNSPECIFIED,
  ): Promise<RecordUsageResponse> {
    return app.clients.recorder.recordUsage({ usage: input, conflictPolicy });
  }

  /** A user with a budget of the same id. */
  async function userWithBudget(): Promise<string> {
    const userId = uniqueId("user");
    const budget = { budgetId: userId, scope: BudgetScope.USER, subject: userId };
    await app.apply({ users: [{ userId }], budgets: [budget] });
    return userId;
  }

  const json = ({ record: stored }: RecordUsageResponse) => toJson(UsageRecordSchema, stored!);

  it("answers the same record again and charges nothing more", async () => {
    const userId = await userWithBudget();
    const input = usage({
      userId,
      tags: { b: "2", a: "1" },
      metadata: { y: 1, x: { q: 1, p: 2 } },
    });
    const first = await record(input);
    const cost = sonnetCost(1_000n, 100n);
    for (const policy of [ConflictPolicy.REVISE, ConflictPolicy.REJECT]) {
      const again = await record(input, policy);
      expect(again.outcome).to.equal(REPLAYED);
      expect(json(again)).to.deep.equal(json(first));
    }
    expect(await readSpent(app.database, userId)).to.equal(cost);
    expect((await readTotals(app.database, "USER", userId)).requests).to.equal(1n);
  });

  it("knows it whatever the order of its maps, and with its defaults written out", async () => {
    const input = usage({
      tags: { a: "1", b: "2" },
      metadata: { x: { p: 2, q: [1] }, y: 1 },
      requestHeaders: { accept: "json", "x-b": "2" },
    });
    const first = await record(input);
    const again = await record({
      ...input,
      tags: { b: "2", a: "1" },
      metadata: { y: 1, x: { q: [1], p: 2 } },
      requestHeaders: { "x-b": "2", accept: "json" },
      requestType: "chat",
      statusCode: 200,
      status: UsageStatus.COMPLETED,
      cacheReadInputTokens: 0n,
      cacheCreationInputTokens: 0n,
      tokenConvention: 1,
      useTieredPricing: true,
    });
    expect(again.outcome).to.equal(REPLAYED);
    expect(json(again)).to.deep.equal(json(first));
  });

  it("takes every field for content", async () => {
    const input = usage({ createTime: at("2026-05-05T05:05:05Z") });
    await record(input);
    const changes: UsageInit[] = [
      { userId: uniqueId("user") },
      { apiKeyId: "k" },
      { provider: "other" },
      { model: "tiered" },
      { targetModel: "t" },
      { inputTokens: 1n },
      { outputTokens: 1n },
      { cacheReadInputTokens: 1n, tokenConvention: 1 },
      { cacheCreationInputTokens: 1n, tokenConvention: 1 },
      { cacheCreations: [{ ttlMinutes: 5, tokens: 1n }], tokenConvention: 1 },
      { requestType: "embedding" },
      { apiFormat: "OPENAI" },
      { isStream: true },
      { responseTimeMs: 0n },
      { firstByteTimeMs: 0n },
      { statusCode: 201 },
      { errorMessage: "e" },
      { metadata: {} },
      { requestHeaders: { a: "b" } },
      { providerRequestHeaders: { a: "b" } },
      { responseHeaders: { a: "b" } },
      { requestBody: { kind: { case: "boolValue", value: false } } },
      { responseBody: { kind: { case: "boolValue", value: false } } },
      { providerId: "p" },
      { providerEndpointId: "e" },
      { providerApiKeyId: "k" },
      { status: UsageStatus.FAILED },
      { cacheTtlMinutes: 5 },
      { useTieredPricing: false },
      { createTime: at("2026-05-05T05:05:05.001Z") },
      { excludeFromBudgets: true },
      { tags: { a: "b" } },
    ];
    for (const change of changes) {
      const call = record({ ...input, ...change }, ConflictPolicy.REJECT);
      const reason = await call.then(
        () => "none",
        (error) => error.reason,
      );
      expect(reason, Object.keys(change).join()).to.equal("USAGE_RECORD_CONFLICT");
    }
  });

  it("completes a PENDING and a STREAMING record, once", async () => {
    const userId = await userWithBudget();
    const { PENDING, STREAMING, COMPLETED: DONE } = UsageStatus;
    const input = usage({ userId, createTime: at("2026-05-01T00:00:00Z") });
    expect((await record({ ...input, status: PENDING })).outcome).to.equal(CREATED);
    expect((await record({ ...input, status: PENDING })).outcome).to.equal(REPLAYED);
    expect((await record({ ...input, status: STREAMING })).outcome).to.equal(COMPLETED);
    const back = await rpcFailure(record({ ...input, status: PENDING, outputTokens: 1n }));
    expect(back.codeName).to.equal("FAILED_PRECONDITION");
    expect(await readSpent(app.database, userId)).to.equal(0n);
    const { createTime: _told, ...rest } = input;
    const done = await record({ ...rest, status: DONE });
    expect(done.outcome).to.equal(COMPLETED);
    expect(done.record?.revision).to.equal(1n);
    // The arrival that was told when it started.
    expect(done.record?.createTime).to.deep.equal(at("2026-05-01T00:00:00Z"));
    expect((await record({ ...rest, status: DONE })).outcome).to.equal(REPLAYED);
    expect(await readSpent(app.database, userId)).to.equal(sonnetCost(1_000n, 100n));
  });

  it("replaces a finished record and moves every sum by the difference", async () => {
    const [alice, bob] = [await userWithBudget(), await userWithBudget()];
    const input = usage({ userId: alice });
    await record(input);
    const revised = await record({ ...input, inputTokens: 500n, statusCode: 200 });
    expect(revised.outcome).to.equal(REVISED);
    expect(revised.record?.revision).to.equal(2n);
    expect(await readSpent(app.database, alice)).to.equal(sonnetCost(500n, 100n));
    const moved = await record({ ...input, userId: bob });
    expect(moved.record?.revision).to.equal(3n);
    expect(await readSpent(app.database, alice)).to.equal(0n);
    expect(await readSpent(app.database, bob)).to.equal(sonnetCost(1_000n, 100n));
    expect(await readTotals(app.database, "USER", alice)).to.deep.equal({
      requests: 0n,
      tokens: 0n,
      cost: 0n,
      actualCost: 0n,
    });
    await record({ ...input, userId: bob, excludeFromBudgets: true });
    expect(await readSpent(app.database, bob)).to.equal(0n);
    expect((await readTotals(app.database, "USER", bob)).requests).to.equal(1n);
  });

  it("keeps the time of the first finish through revisions", async () => {
    const input = usage();
    const first = await record(input);
    const revised = await record({ ...input, outputTokens: 7n });
    expect(revised.record?.finishTime).to.deep.equal(first.record?.finishTime);
  });

  it("refuses other content when told to", async () => {
    const userId = await userWithBudget();
    const input = usage({ userId });
    await record(input);
    const call = record({ ...input, outputTokens: 0n }, ConflictPolicy.REJECT);
    const error = await rpcFailure(call);
    expect([error.codeName, error.reason]).to.deep.equal([
      "ALREADY_EXISTS",
      "USAGE_RECORD_CONFLICT",
    ]);
    expect(error.details.resourceInfo?.resourceName).to.equal(input.requestId);
    expect(await readSpent(app.database, userId)).to.equal(sonnetCost(1_000n, 100n));
  });

  it("never brings a finished record back", async () => {
    const input = usage();
    await record(input);
    for (const status of [UsageStatus.PENDING, UsageStatus.STREAMING]) {
      const error = await rpcFailure(record({ ...input, status }));
      expect([error.codeName, error.reason]).to.deep.equal([
        "FAILED_PRECONDITION",
        "USAGE_STATUS_CONFLICT",
      ]);
      const [violation] = error.details.preconditionFailure?.violations ?? [];
      expect(violation).to.deep.include({
        type: "USAGE_STATUS_CONFLICT",
        subject: `usage_record/${input.requestId}`,
      });
    }
  });

  it("never erases by what is unset", async () => {
    await app.apply({ settings: { requestLogLevel: RequestLogLevel.FULL } });
    const body = (text: string) => ({ kind: { case: "stringValue" as const, value: text } });
    const input = usage({
      targetModel: "sonnet-1",
      requestHeaders: { accept: "json" },
      requestBody: body("question"),
      createTime: at("2026-04-30T23:59:59Z"),
    });
    await record(input);
    const { targetModel: _t, requestHeaders: _h, requestBody: _b, ...rest } = input;
    await record({
      ...rest,
      createTime: at("2026-05-01T00:00:00Z"),
      responseBody: body("answer"),
    });
    await app.apply({ settings: { requestLogLevel: RequestLogLevel.BASIC } });
    const { record: stored } = await app.clients.recorder.getUsage({
      requestId: input.requestId,
      view: UsageView.FULL,
    });
    expect(stored?.targetModel).to.equal("sonnet-1");
    expect(stored?.payload).to.deep.include({ requestHeaders: { accept: "json" } });
    expect(stored?.payload?.requestBody?.kind).to.deep.equal(body("question").kind);
    expect(stored?.payload?.responseBody?.kind).to.deep.equal(body("answer").kind);
  });

  it("moves a record to another month when told so, and keeps it there", async () => {
    const userId = await userWithBudget();
    const input = usage({ userId, createTime: at("2025-01-31T23:59:59Z") });
    await record(input);
    const moved = await record({ ...input, createTime: at("2025-09-01T00:00:00Z") });
    expect(moved.outcome).to.equal(REVISED);
    const { createTime: _told, ...rest } = input;
    const kept = await record({ ...rest, outputTokens: 5n });
    expect(kept.record?.createTime).to.deep.equal(at("2025-09-01T00:00:00Z"));
    const { rows } = await app.database.knex.raw(
      "select tableoid::regclass::text as partition from usage_records where request_id = ?",
      [input.requestId],
    );
    expect(rows).to.deep.equal([{ partition: "usage_records_2025_09" }]);
  });

  it("takes a request for counted whose record is gone, but not its key", async () => {
    const userId = await userWithBudget();
    const input = usage({ userId });
    const key = { request_id: input.requestId, created_time: new Date() };
    await app.database.knex("usage_keys").insert(key);
    expect((await record(input)).outcome).to.equal(REPLAYED);
    expect(await readSpent(app.database, userId)).to.equal(0n);
    expect((await readTotals(app.database, "USER", userId)).requests).to.equal(0n);
  });

  it("counts one of 2,000 at the same moment", async () => {
    const userId = await userWithBudget();
    const input = usage({ userId });
    const answers = await Promise.all(Array.from({ length: 2_000 }, () => record(input)));
    const created = answers.filter(({ outcome }) => outcome === CREATED);
    const replayed = answers.filter(({ outcome }) => outcome === REPLAYED);
    expect([created.length, replayed.length]).to.deep.equal([1, 1_999]);
    for (const answer of answers) expect(json(answer)).to.deep.equal(json(created[0]!));
    expect(await readSpent(app.database, userId)).to.equal(sonnetCost(1_000n, 100n));
    expect((await readTotals(app.database, "USER", userId)).requests).to.equal(1n);
  });
});
