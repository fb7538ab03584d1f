import { toJson } from "@bufbuild/protobuf";
import { expect } from "chai";
import { ApiKeyKind } from "../../gen/tally/v1/catalog_pb.js";
import {
  BillingNote,
  BudgetScope,
  TokenConvention,
  UnknownSubject,
  UsageRecordSchema,
  UsageStatus,
  UsageView,
} from "../../gen/tally/v1/usage_pb.js";
import { RecordOutcome } from "../../gen/tally/v1/usage_recorder_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { at, readTotals, SONNET, sonnetCost, USAGE_CATALOG, usage } from "./usage-fixture.js";

const UUID_V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe("RecordUsage of a new request", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
  });
  after(async () => {
    await expectBalancedBooks(app);
    await app.stop();
  });

  async function record(input: Parameters<typeof usage>[0]) {
    const response = await app.clients.recorder.recordUsage({ usage: usage(input) });
    expect(response.outcome).to.equal(RecordOutcome.CREATED);
    return response.record!;
  }

  it("prices every part to the nano-USD, and GetUsage answers the same record", async () => {
    const userId = uniqueId("user");
    const apiKeyId = uniqueId("key");
    await app.apply({
      users: [{ userId }],
      apiKeys: [{ apiKeyId, userId }],
      budgets: [{ budgetId: apiKeyId, scope: BudgetScope.API_KEY, subject: apiKeyId }],
    });
    const answered = await record({
      userId,
      apiKeyId,
      targetModel: "sonnet-20260101",
      inputTokens: 1_234n,
      outputTokens: 567n,
      cacheCreationInputTokens: 89n,
      cacheReadInputTokens: 4_321n,
      tokenConvention: TokenConvention.CACHE_EXCLUSIVE,
      requestType: "chat",
      apiFormat: "CLAUDE",
      isStream: true,
      responseTimeMs: 4_200n,
      firstByteTimeMs: 350n,
      metadata: { text: "\u00e9\u{1f600}", nested: { list: [1, 2.5, null, true, -1e21] } },
      tags: { team: "blue", "cost center": "" },
      providerId: "p-1",
      providerEndpointId: "e-1",
      providerApiKeyId: "cheap",
      cacheTtlMinutes: 5,
      createTime: { seconds: 1_767_225_600n, nanos: 123_456_000 },
    });
    const input = 1_234n * SONNET.inputPerToken;
    const output = 567n * SONNET.outputPerToken;
    const creation = 89n * SONNET.creationPerToken;
    const read = 4_321n * SONNET.readPerToken;
    const total = input + output + creation + read + SONNET.perRequest;
    expect(answered.cost).to.deep.include({
      inputNanoUsd: input,
      outputNanoUsd: output,
      cacheCreationNanoUsd: creation,
      cacheReadNanoUsd: read,
      cacheNanoUsd: creation + read,
      requestNanoUsd: SONNET.perRequest,
      totalNanoUsd: total,
    });
    // 85 % of the cache creation's 333,750 are 283,687.5, which half-even makes 283,688.
    expect(answered.actualCost).to.deep.include({
      cacheCreationNanoUsd: 283_688n,
      totalNanoUsd: ((total - creation) * 85n) / 100n + 283_688n,
    });
    expect(answered.rateMultiplier).to.equal("0.85");
    expect(answered.totalTokens).to.equal(1_234n + 567n + 89n + 4_321n);
    expect(answered.price?.tiers[0]?.inputNanoUsdPerMillion).to.equal(3_000_000_000n);
    expect(answered.priceTierIndex).to.equal(0);
    expect(answered.budgetCharges.map(({ budgetId, amount }) => [budgetId, amount])).to.deep.equal([
      [apiKeyId, total],
    ]);
    expect(answered.revision).to.equal(1n);
    expect(answered.unknownSubjects).to.deep.equal([]);

    const { record: stored } = await app.clients.recorder.getUsage({
      requestId: answered.requestId,
      view: UsageView.BASIC,
    });
    expect(toJson(UsageRecordSchema, stored!)).to.deep.equal(toJson(UsageRecordSchema, answered));
  });

  it("moves the totals of user, key, provider and model by the record", async () => {
    const userId = uniqueId("user");
    const apiKeyId = uniqueId("key");
    const provider = uniqueId("provider");
    const model = uniqueId("model");
    await app.apply({
      prices: [
        { model, price: { tiers: [{ inputNanoUsdPerMillion: 7n, outputNanoUsdPerMillion: 0n }] } },
      ],
    });
    // 500,000 tokens at 7 per million are 3.5: half-even gives 4.
    await record({ userId, apiKeyId, provider, model, inputTokens: 500_000n });
    await record({ userId, apiKeyId, provider, model, inputTokens: 1_000_000n, statusCode: 500 });
    const expected = { requests: 2n, tokens: 1_500_200n, cost: 11n, actualCost: 11n };
    for (const [kind, id] of [
      ["USER", userId],
      ["API_KEY", apiKeyId],
      ["PROVIDER", provider],
      ["MODEL", model],
    ] as const) {
      expect(await readTotals(app.database, kind, id), kind).to.deep.equal(expected);
    }
  });

  it("adds up the rollups of every width", async () => {
    const userId = uniqueId("user");
    const model = uniqueId("model");
    const common = { userId, model, provider: "acme", apiFormat: "OPENAI" };
    await record({
      ...common,
      createTime: at("2026-03-01T23:59:59.999Z"),
      responseTimeMs: 100n,
      firstByteTimeMs: 10n,
    });
    await record({ ...common, createTime: at("2026-03-02T00:00:00Z"), statusCode: 503 });
    await record({ ...common, createTime: at("2026-03-02T00:14:59.999Z"), responseTimeMs: 50n });
    const { rows } = await app.database.knex.raw(
      `select grain, bucket_time, sum(requests)::integer as requests,
        (sum(requests) filter (where failed))::integer as failures,
        sum(input_tokens)::integer as input, sum(response_time_ms_sum)::integer as response_ms
      from usage_rollups where (user_id = ? and grain < 4) or (model = ? and grain between 4 and 7)
      group by 1, 2 order by 1, 2`,
      [userId, model],
    );
    const found = (rows as Record<string, Date | number | null>[]).map((row) =>
      Object.values(row).map((value) => (value instanceof Date ? value.toISOString() : value)),
    );
    const [last, next] = [[1, null, 1_000, 100] as const, [2, 1, 2_000, 50] as const];
    const both = [3, 1, 3_000, 150] as const;
    expect(found).to.deep.equal([
      [1, "2026-03-01T23:45:00.000Z", ...last],
      [1, "2026-03-02T00:00:00.000Z", ...next],
      [2, "2026-03-01T00:00:00.000Z", ...last],
      [2, "2026-03-02T00:00:00.000Z", ...next],
      [3, "2026-03-01T00:00:00.000Z", ...both],
      [4, "2026-03-01T23:45:00.000Z", ...last],
      [4, "2026-03-02T00:00:00.000Z", ...next],
      [5, "2026-03-01T23:00:00.000Z", ...last],
      [5, "2026-03-02T00:00:00.000Z", ...next],
      [6, "2026-03-01T00:00:00.000Z", ...last],
      [6, "2026-03-02T00:00:00.000Z", ...next],
      [7, "2026-03-01T00:00:00.000Z", ...both],
    ]);
  });

  it("records and marks whom and what the catalog does not know", async () => {
    const unknown = await record({
      userId: uniqueId("nobody"),
      apiKeyId: uniqueId("nokey"),
      provider: uniqueId("noprovider"),
      model: uniqueId("nomodel"),
    });
    expect(unknown.unknownSubjects).to.deep.equal([
      UnknownSubject.USER,
      UnknownSubject.API_KEY,
      UnknownSubject.PROVIDER,
      UnknownSubject.MODEL,
    ]);
    expect(unknown.billingNote).to.equal(BillingNote.NO_PRICE);
    expect(unknown.cost?.totalNanoUsd).to.equal(0n);
    expect(unknown.price).to.equal(undefined);
    expect(unknown.priceTierIndex).to.equal(undefined);
  });

  it("prices what is unknown if a price is known", async () => {
    const priced = await record({ provider: uniqueId("noprovider") });
    expect(priced.unknownSubjects).to.deep.equal([UnknownSubject.USER, UnknownSubject.PROVIDER]);
    expect(priced.cost?.totalNanoUsd).to.equal(sonnetCost(1_000n, 100n));
    expect(priced.billingNote).to.equal(BillingNote.UNSPECIFIED);
  });

  it("fills in what the gateway did not tell", async () => {
    const before = Date.now();
    const { record: made } = await app.clients.recorder.recordUsage({ usage: { model: "sonnet" } });
    expect(made?.requestId).to.match(UUID_V7);
    expect(made).to.deep.include({
      requestType: "chat",
      statusCode: 200,
      status: UsageStatus.COMPLETED,
      useTieredPricing: true,
      rateMultiplier: "1",
      unknownSubjects: [],
    });
    expect([made?.responseTimeMs, made?.firstByteTimeMs]).to.deep.equal([undefined, undefined]);
    const createdMs = Number(made!.createTime!.seconds) * 1_000;
    expect(createdMs).to.be.within(before - 1_000, Date.now());
    expect(made?.finishTime).to.not.equal(undefined);
  });

  it("takes a request with a failing status or an error message for failed", async () => {
    const cases = [
      { statusCode: 399, errorMessage: "", status: UsageStatus.COMPLETED },
      { statusCode: 400, errorMessage: "", status: UsageStatus.FAILED },
      { statusCode: 200, errorMessage: "cut off", status: UsageStatus.FAILED },
    ];
    for (const { status, ...facts } of cases) {
      const made = await record(facts);
      expect(made.status, JSON.stringify(facts)).to.equal(status);
    }
  });

  it("stores an inclusive prompt without its cached tokens", async () => {
    const made = await record({
      inputTokens: 1_000n,
      cacheCreations: [
        { ttlMinutes: 5, tokens: 100n },
        { ttlMinutes: 60, tokens: 200n },
      ],
      cacheReadInputTokens: 600n,
      tokenConvention: TokenConvention.CACHE_INCLUSIVE,
    });
    expect(made).to.deep.include({
      inputTokens: 100n,
      cacheCreationInputTokens: 300n,
      cacheReadInputTokens: 600n,
      totalTokens: 1_100n,
      tokenConvention: TokenConvention.CACHE_INCLUSIVE,
    });
    expect(made.cost?.inputNanoUsd).to.equal(100n * SONNET.inputPerToken);
    expect(made.cost?.cacheCreationNanoUsd).to.equal(300n * SONNET.creationPerToken);
  });

  it("chooses the tier by the context, or the first when told to", async () => {
    const above = { model: "tiered", inputTokens: 1_001n, outputTokens: 0n };
    const tiered = await record(above);
    expect(tiered).to.deep.include({ priceTierIndex: 1 });
    expect(tiered.cost?.totalNanoUsd).to.equal(2_002_000n);
    const flat = await record({ ...above, useTieredPricing: false });
    expect(flat).to.deep.include({ priceTierIndex: 0 });
    expect(flat.cost?.totalNanoUsd).to.equal(1_001_000n);
  });

  it("says why a request cost nothing, or less than its tokens", async () => {
    const full = sonnetCost(1_000n, 100n);
    const tokens = full - SONNET.perRequest;
    const prompt = 1_000n * SONNET.inputPerToken;
    const { UNSPECIFIED, ...notes } = BillingNote;
    const failed = { statusCode: 500 };
    const cases = [
      [{ provider: "acme" }, UNSPECIFIED, full, full],
      [{ provider: "free" }, notes.FREE_TIER, full, 0n],
      [{ provider: "closed" }, notes.PROVIDER_INACTIVE, 0n, 0n],
      [{ model: "retired" }, notes.MODEL_INACTIVE, 0n, 0n],
      [{ ...failed, provider: "acme" }, notes.FAILED_REQUEST_USAGE, tokens, tokens],
      [{ ...failed, provider: "lenient" }, notes.FAILED_REQUEST_NOT_BILLED, 0n, 0n],
      [{ ...failed, provider: "halfway" }, notes.FAILED_REQUEST_PROMPT_ONLY, prompt, prompt],
    ] as const;
    for (const [facts, note, list, actual] of cases) {
      const made = await record(facts);
      const label = JSON.stringify(facts);
      expect(made.billingNote, label).to.equal(note);
      expect(made.cost?.totalNanoUsd, label).to.equal(list);
      expect(made.actualCost?.totalNanoUsd, label).to.equal(actual);
    }
  });

  it("keeps an unfinished request out of every sum", async () => {
    const userId = uniqueId("user");
    for (const status of [UsageStatus.PENDING, UsageStatus.STREAMING]) {
      const made = await record({ userId, status });
      expect(made.revision).to.equal(0n);
      expect(made.cost?.totalNanoUsd).to.equal(0n);
      expect(made.finishTime).to.equal(undefined);
    }
    expect((await readTotals(app.database, "USER", userId)).requests).to.equal(0n);
  });

  it("answers NOT_FOUND for a request that was never recorded", async () => {
    const error = await rpcFailure(app.clients.recorder.getUsage({ requestId: "never" }));
    expect([error.codeName, error.reason]).to.deep.equal(["NOT_FOUND", "USAGE_RECORD_NOT_FOUND"]);
    expect(error.details.resourceInfo).to.deep.include({
      resourceType: "usage_record",
      resourceName: "never",
    });
  });

  it("knows a standalone key without an owner", async () => {
    const apiKeyId = uniqueId("prepaid");
    await app.apply({ apiKeys: [{ apiKeyId, kind: ApiKeyKind.STANDALONE }] });
    const made = await record({ userId: "", apiKeyId });
    expect(made.unknownSubjects).to.deep.equal([]);
  });
});
