import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { ApiKeyKind } from "../../gen/tally/v1/catalog_pb.js";
import { BudgetMeasure, BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import type { RpcError } from "../../src/client/grpc-client.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { rpcFailure } from "../support/rpc-failure.js";

const PRICE = {
  tiers: [{ inputNanoUsdPerMillion: 1_000_000_000n, outputNanoUsdPerMillion: 0n }],
};

/** A million of its input tokens cost a dollar. */
const DOLLAR = 1_000_000_000n;

describe("Deletes in the catalog", () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startTestApp();
    await app.apply({
      users: [{ userId: "alice" }],
      apiKeys: [
        { apiKeyId: "ordinary", userId: "alice" },
        { apiKeyId: "prepaid", userId: "alice", kind: ApiKeyKind.STANDALONE },
      ],
      providers: [{ provider: "p" }],
      providerEndpoints: [{ providerEndpointId: "e", provider: "p" }],
      providerKeys: [{ providerKeyId: "pk", provider: "p", providerEndpointId: "e" }],
      models: [{ model: "m" }],
      prices: [
        { model: "m", price: PRICE },
        { model: "m", provider: "p", price: PRICE },
      ],
      budgets: [
        { budgetId: "of-alice", scope: BudgetScope.USER, subject: "alice", limit: 9n * DOLLAR },
        { budgetId: "of-ordinary", scope: BudgetScope.API_KEY, subject: "ordinary" },
        { budgetId: "of-prepaid", scope: BudgetScope.API_KEY, subject: "prepaid", limit: 5n },
        { budgetId: "of-p", scope: BudgetScope.PROVIDER, subject: "p" },
        { budgetId: "of-m", scope: BudgetScope.MODEL, subject: "m" },
      ],
    });
  });
  afterEach(() => app.stop());

  const recordDollar = (requestId: string) =>
    app.clients.recorder.recordUsage({
      usage: {
        requestId,
        userId: "alice",
        apiKeyId: "ordinary",
        provider: "p",
        model: "m",
        inputTokens: 1_000_000n,
      },
    });

  function obstacles(error: RpcError): string[] | undefined {
    expect([error.code, error.reason]).to.deep.equal([Code.FAILED_PRECONDITION, "RESOURCE_IN_USE"]);
    return error.details.preconditionFailure?.violations.map(({ subject }) => subject).sort();
  }

  it("of a user are refused while keys and budgets depend on it", async () => {
    const error = await rpcFailure(app.clients.catalog.deleteUser({ userId: "alice" }));
    expect(obstacles(error)).to.deep.equal([
      "api_key/ordinary",
      "api_key/prepaid",
      "budget/of-alice",
      "budget/of-ordinary",
    ]);
    expect((await app.clients.catalog.getUser({ userId: "alice" })).user?.userId).to.equal("alice");
  });

  it("of a user by force take its keys and budgets along, but leave prepaid keys", async () => {
    const { catalog } = app.clients;
    await catalog.deleteUser({ userId: "alice", force: true });
    const { apiKeys } = await catalog.listApiKeys({});
    expect(apiKeys.map(({ apiKeyId, userId }) => [apiKeyId, userId])).to.deep.equal([
      ["prepaid", ""],
    ]);
    const { budgets } = await catalog.listBudgets({});
    expect(budgets.map(({ budgetId }) => budgetId)).to.deep.equal(["of-m", "of-p", "of-prepaid"]);
    const { entries } = await catalog.listAuditLog({ pageSize: 5 });
    expect(entries.map(({ resourceId, action }) => `${resourceId} ${action}`).sort()).to.deep.equal(
      ["alice 3", "of-alice 3", "of-ordinary 3", "ordinary 3", "prepaid 2"],
    );
  });

  const refused: readonly [string, () => Promise<unknown>, readonly string[]][] = [
    [
      "an API key",
      () => app.clients.catalog.deleteApiKey({ apiKeyId: "prepaid" }),
      ["budget/of-prepaid"],
    ],
    [
      "a provider",
      () => app.clients.catalog.deleteProvider({ provider: "p" }),
      ["budget/of-p", "model_price/m@p", "provider_endpoint/e", "provider_key/pk"],
    ],
    [
      "a provider endpoint",
      () => app.clients.catalog.deleteProviderEndpoint({ providerEndpointId: "e" }),
      ["provider_key/pk"],
    ],
    [
      "a model",
      () => app.clients.catalog.deleteModel({ model: "m" }),
      ["budget/of-m", "model_price/m@*", "model_price/m@p"],
    ],
  ];
  for (const [what, call, subjects] of refused) {
    it(`of ${what} are refused while something depends on it, each thing named`, async () => {
      expect(obstacles(await rpcFailure(call()))).to.deep.equal(subjects);
    });
  }

  it("by force take along what depends on a provider, a model, a key, or detach it", async () => {
    const { catalog } = app.clients;
    await catalog.deleteProviderEndpoint({ providerEndpointId: "e", force: true });
    const { providerKey } = await catalog.getProviderKey({ providerKeyId: "pk" });
    expect(providerKey?.providerEndpointId).to.equal("");
    await catalog.deleteProvider({ provider: "p", force: true });
    await catalog.deleteModel({ model: "m", force: true });
    await catalog.deleteApiKey({ apiKeyId: "prepaid", force: true });
    expect((await catalog.listProviderKeys({})).providerKeys).to.deep.equal([]);
    expect((await catalog.listModelPrices({})).modelPrices).to.deep.equal([]);
    const { budgets } = await catalog.listBudgets({});
    expect(budgets.map(({ budgetId }) => budgetId)).to.deep.equal(["of-alice", "of-ordinary"]);
    const { record } = await recordDollar("unpriced");
    expect(record?.cost?.totalNanoUsd).to.equal(0n);
  });

  it("of prices leave what was recorded at them as it was, and price what comes by the rest", async () => {
    const { catalog, recorder } = app.clients;
    await recordDollar("before");
    await catalog.deleteModelPrice({ model: "m", provider: "p" });
    await catalog.updateModelPrice({
      modelPrice: {
        model: "m",
        price: {
          tiers: [{ inputNanoUsdPerMillion: 3_000_000_000n, outputNanoUsdPerMillion: 0n }],
        },
      },
    });
    const { record } = await recordDollar("after");
    expect(record?.cost?.totalNanoUsd).to.equal(3n * DOLLAR);
    const { record: old } = await recorder.getUsage({ requestId: "before" });
    expect(old?.cost?.totalNanoUsd).to.equal(DOLLAR);
    expect(old?.price?.tiers[0]?.inputNanoUsdPerMillion).to.equal(DOLLAR);
    await expectBalancedBooks(app);
  });

  it("of budgets keep what was spent, so that the same id goes on from there", async () => {
    const { catalog, checker } = app.clients;
    await recordDollar("spent");
    await catalog.deleteBudget({ budgetId: "of-alice" });
    await expectBalancedBooks(app);
    const error = await rpcFailure(
      catalog.createBudget({
        budget: {
          budgetId: "of-alice",
          scope: BudgetScope.USER,
          subject: "alice",
          measure: BudgetMeasure.REQUESTS,
        },
      }),
    );
    expect(error.details.badRequest?.fieldViolations[0]?.field).to.equal("budget.measure");
    await catalog.createBudget({
      budget: { budgetId: "of-alice", scope: BudgetScope.USER, subject: "alice", limit: DOLLAR },
    });
    const { budgets } = await checker.getQuota({
      subject: { case: "budgetId", value: "of-alice" },
    });
    expect(budgets[0]).to.deep.include({ spent: DOLLAR, remaining: 0n });
    await expectBalancedBooks(app);
  });
});
