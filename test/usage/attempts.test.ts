import { expect } from "chai";
import { BudgetMeasure, BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";
import { readSpent, readTotals, USAGE_CATALOG, type UsageInit, usage } from "./usage-fixture.js";

describe("RecordUsage of attempts", () => {
  let app: TestApp;
  before(async () => {
    app = await startTestApp();
    const budget = { scope: BudgetScope.USER, subject: "retrier" } as const;
    await app.apply(USAGE_CATALOG);
    await app.apply({
      budgets: [
        { ...budget, budgetId: "requests", measure: BudgetMeasure.REQUESTS },
        { ...budget, budgetId: "tokens", measure: BudgetMeasure.TOKENS },
      ],
    });
  });
  after(() => app.stop());

  async function record(fields: UsageInit) {
    const { record: answer } = await app.clients.recorder.recordUsage({ usage: usage(fields) });
    return answer!;
  }

  it("counts an operation as one request, with the tokens and cost of all its attempts", async () => {
    const common = { userId: "retrier", operationId: uniqueId("operation") };
    const first = await record({
      ...common,
      requestId: uniqueId("first"),
      attemptNumber: 1,
      isRetried: true,
      statusCode: 503,
    });
    expect([first.operationId, first.attemptNumber, first.isRetried]).to.deep.equal([
      common.operationId,
      1,
      true,
    ]);
    const second = await record({ ...common, attemptNumber: 2 });
    expect([second.attemptNumber, second.isRetried]).to.deep.equal([2, false]);
    expect(await readTotals(app.database, "USER", "retrier")).to.deep.include({
      requests: 1n,
      tokens: 2_200n,
      cost: first.cost!.totalNanoUsd + second.cost!.totalNanoUsd,
    });
    expect(await readSpent(app.database, "requests")).to.equal(1n);
    expect(await readSpent(app.database, "tokens")).to.equal(2_200n);
    await expectBalancedBooks(app);
  });

  it("corrects what was not thought to be retried", async () => {
    const common = { userId: uniqueId("user"), requestId: uniqueId("request") };
    await record(common);
    const revised = await record({ ...common, operationId: "late", isRetried: true });
    expect(revised.revision).to.equal(2n);
    expect((await readTotals(app.database, "USER", common.userId)).requests).to.equal(0n);
    await expectBalancedBooks(app);
  });

  for (const fields of [{ isRetried: true }, { attemptNumber: 2 }]) {
    it(`refuses ${Object.keys(fields)} without an operation`, async () => {
      const failure = await rpcFailure(app.clients.recorder.recordUsage({ usage: usage(fields) }));
      expect(failure.message).to.include("operation_id");
    });
  }
});
