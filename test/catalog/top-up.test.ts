import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { ApiKeyKind } from "../../gen/tally/v1/catalog_pb.js";
import { BudgetEnforcement, BudgetScope, BudgetWindowKind } from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";

const DOLLAR = 1_000_000_000n;

describe("TopUpApiKey", () => {
  let app: TestApp;
  let other: TestApp;
  let apiKeyId: string;

  before(async () => {
    app = await startTestApp();
    other = await startTestApp({ replicaOf: app });
    await app.apply({
      users: [{ userId: "alice" }],
      apiKeys: [{ apiKeyId: "ordinary", userId: "alice" }],
      models: [{ model: "m" }],
      prices: [
        {
          model: "m",
          price: { tiers: [{ inputNanoUsdPerMillion: DOLLAR, outputNanoUsdPerMillion: 0n }] },
        },
      ],
    });
  });
  after(async () => {
    await other.stop();
    await app.stop();
  });

  beforeEach(async () => {
    apiKeyId = uniqueId("key");
    const { catalog } = app.clients;
    await catalog.createApiKey({ apiKey: { apiKeyId, kind: ApiKeyKind.STANDALONE } });
  });

  const topUp = (amountNanoUsd: bigint, requestId: string, at = app) =>
    at.clients.catalog.topUpApiKey({ apiKeyId, amountNanoUsd, requestId });

  const isAllowed = async (at: TestApp, estimate: bigint) =>
    (
      await at.clients.checker.checkQuota({
        apiKeyId,
        model: "m",
        expectation: { case: "estimatedCostNanoUsd", value: estimate },
      })
    ).allowed;

  it("makes a balance for a key that has none, and raises it from then on", async () => {
    const first = await topUp(2n * DOLLAR, uniqueId("r"));
    expect(first).to.deep.include({
      limitNanoUsd: 2n * DOLLAR,
      spentNanoUsd: 0n,
      balanceNanoUsd: 2n * DOLLAR,
      replayed: false,
    });
    await app.clients.recorder.recordUsage({
      usage: {
        requestId: uniqueId("u"),
        apiKeyId,
        provider: "p",
        model: "m",
        inputTokens: 2_500_000n,
      },
    });
    expect(await isAllowed(app, 1n)).to.equal(false);
    const second = await topUp(3n * DOLLAR, uniqueId("r"));
    expect(second).to.deep.include({
      budgetId: first.budgetId,
      limitNanoUsd: 5n * DOLLAR,
      spentNanoUsd: (5n * DOLLAR) / 2n,
      balanceNanoUsd: (5n * DOLLAR) / 2n,
    });
    expect(await isAllowed(app, 2n * DOLLAR)).to.equal(true);
    await eventually("other replica", () => isAllowed(other, 2n * DOLLAR), 1_000);
    expect(await isAllowed(app, 3n * DOLLAR)).to.equal(false);
    await expectBalancedBooks(app);
  });

  it("adds once what 50 identical calls to two replicas ask for at the same time", async () => {
    const requestId = uniqueId("r");
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) => topUp(DOLLAR, requestId, index % 2 ? app : other)),
    );
    expect(answers.filter(({ replayed }) => !replayed)).to.have.length(1);
    for (const answer of answers) expect(answer.balanceNanoUsd).to.equal(DOLLAR);
    const { entries } = await app.clients.catalog.listAuditLog({
      resourceType: "budget",
      resourceId: answers[0]!.budgetId,
    });
    expect(entries.map(({ method }) => method)).to.deep.equal(["TopUpApiKey"]);
  });

  it("adds every one of 50 different calls at the same time", async () => {
    const prefix = uniqueId("r");
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        topUp(BigInt(index + 1), `${prefix}-${index}`, index % 2 ? app : other),
      ),
    );
    expect(new Set(answers.map(({ budgetId }) => budgetId)).size).to.equal(1);
    const { balanceNanoUsd } = await topUp(1n, `${prefix}-last`);
    expect(balanceNanoUsd).to.equal(1_276n);
  });

  it("refuses a request id that named something else", async () => {
    const requestId = uniqueId("r");
    const { budgetId } = await topUp(5n, requestId);
    const { catalog } = app.clients;
    const elsewhere = uniqueId("key");
    await catalog.createApiKey({ apiKey: { apiKeyId: elsewhere, kind: ApiKeyKind.STANDALONE } });
    for (const call of [
      () => topUp(6n, requestId),
      () => catalog.topUpApiKey({ apiKeyId: elsewhere, amountNanoUsd: 5n, requestId }),
      () => catalog.resetBudget({ budgetId, requestId }),
    ]) {
      const error = await rpcFailure(call());
      expect(error.code).to.equal(Code.ALREADY_EXISTS);
      expect(error.reason).to.equal("REQUEST_ID_CONFLICT");
    }
  });

  it("refuses keys that have no balance to raise, and amounts that are none", async () => {
    const { catalog } = app.clients;
    const requestId = uniqueId("r");
    const balance = (budgetId: string) => ({
      budgetId: uniqueId(budgetId),
      scope: BudgetScope.API_KEY,
      subject: apiKeyId,
    });
    const refused = async (id: string, amountNanoUsd = 1n) =>
      (await rpcFailure(catalog.topUpApiKey({ apiKeyId: id, amountNanoUsd, requestId }))).code;
    expect(await refused("ordinary")).to.equal(Code.FAILED_PRECONDITION);
    expect(await refused("nobody")).to.equal(Code.NOT_FOUND);
    expect(await refused(apiKeyId, 0n)).to.equal(Code.INVALID_ARGUMENT);
    expect(await refused(apiKeyId, -5n)).to.equal(Code.INVALID_ARGUMENT);
    await catalog.createBudget({ budget: balance("unlimited") });
    expect(await refused(apiKeyId)).to.equal(Code.FAILED_PRECONDITION);
    await catalog.createBudget({ budget: { ...balance("second"), limit: 1n } });
    expect(await refused(apiKeyId)).to.equal(Code.FAILED_PRECONDITION);
  });

  it("raises the prepaid balance among other budgets of the key", async () => {
    const { catalog } = app.clients;
    const on = { scope: BudgetScope.API_KEY, subject: apiKeyId, limit: 7n };
    await catalog.createBudget({ budget: { ...on, window: { kind: BudgetWindowKind.DAY } } });
    await catalog.createBudget({ budget: { ...on, enforcement: BudgetEnforcement.SOFT } });
    await catalog.createBudget({ budget: { ...on, active: false } });
    const { budget } = await catalog.createBudget({ budget: on });
    const answer = await topUp(3n, uniqueId("r"));
    expect(answer).to.deep.include({ budgetId: budget?.budgetId, limitNanoUsd: 10n });
  });

  it("does not raise a balance above what one can hold", async () => {
    await topUp(10n ** 18n, uniqueId("r"));
    const error = await rpcFailure(topUp(1n, uniqueId("r")));
    expect(error.code).to.equal(Code.INVALID_ARGUMENT);
    expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("amount_nano_usd");
  });
});
