import { expect } from "chai";
import { Code } from "../../gen/google/rpc/code_pb.js";
import { BudgetScope, BudgetWindowKind } from "../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { eventually } from "../support/eventually.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { uniqueId } from "../support/unique-id.js";

const DOLLAR = 1_000_000_000n;

describe("ResetBudget", () => {
  let app: TestApp;
  let userId: string;
  let budgetId: string;

  before(async () => {
    app = await startTestApp();
    await app.apply({
      models: [{ model: "m" }],
      prices: [
        {
          model: "m",
          price: { tiers: [{ inputNanoUsdPerMillion: DOLLAR, outputNanoUsdPerMillion: 0n }] },
        },
      ],
    });
  });
  after(() => app.stop());

  beforeEach(async () => {
    userId = uniqueId("user");
    budgetId = uniqueId("budget");
    await app.apply({
      users: [{ userId }],
      budgets: [
        {
          budgetId,
          scope: BudgetScope.USER,
          subject: userId,
          limit: 10n * DOLLAR,
          window: { kind: BudgetWindowKind.MONTH, timeZone: "Asia/Kathmandu" },
        },
      ],
    });
  });

  const spend = (dollars: bigint, more: { requestId?: string; reservationId?: string } = {}) => {
    const { requestId = uniqueId("u"), reservationId = "" } = more;
    return app.clients.recorder.recordUsage({
      usage: { requestId, userId, provider: "p", model: "m", inputTokens: dollars * 1_000_000n },
      reservationId,
    });
  };

  const reserve = (dollars: bigint, at = app) =>
    at.clients.checker.checkQuota({
      userId,
      model: "m",
      expectation: { case: "estimatedCostNanoUsd", value: dollars * DOLLAR },
      reserve: true,
    });

  const reset = (requestId = "") => app.clients.catalog.resetBudget({ budgetId, requestId });

  async function spent(): Promise<bigint | undefined> {
    const { budgets } = await app.clients.checker.getQuota({
      subject: { case: "budgetId", value: budgetId },
    });
    return budgets[0]?.spent;
  }

  it("forgives what the period has spent, to the nano-USD, and says so", async () => {
    await spend(9n);
    expect((await reserve(5n)).allowed).to.equal(false);
    const answer = await reset();
    expect(answer).to.deep.include({ budgetId, forgiven: 9n * DOLLAR, spent: 0n, replayed: false });
    expect(await spent()).to.equal(0n);
    await eventually("room", async () => (await reserve(5n)).allowed, 2_000);
    await expectBalancedBooks(app);
    const { entries } = await app.clients.catalog.listAuditLog({ resourceId: budgetId });
    expect(entries[0]?.before).to.deep.include({ spent: String(9n * DOLLAR) });
    expect(entries[0]?.after).to.deep.include({ spent: "0" });
  });

  it("leaves open reservations held, which are settled in full afterwards", async () => {
    await spend(3n);
    const { allowed, reservationId } = await reserve(4n);
    expect(allowed).to.equal(true);
    const { forgiven, held } = await reset();
    expect(forgiven).to.equal(3n * DOLLAR);
    expect(held >= 4n * DOLLAR).to.equal(true);
    await expectBalancedBooks(app);
    await spend(2n, { reservationId });
    expect(await spent()).to.equal(2n * DOLLAR);
    await expectBalancedBooks(app);
  });

  it("does not let through more than the limit in what is open and comes after it", async () => {
    await spend(6n);
    const before = await reserve(4n);
    expect(before.allowed).to.equal(true);
    await reset();
    const answers = await Promise.all(Array.from({ length: 10 }, () => reserve(1n)));
    // Four dollars are held already.
    expect(answers.filter(({ allowed }) => allowed).length).to.be.most(6);
    await expectBalancedBooks(app);
  });

  it("happens once for a request id, whatever is spent meanwhile", async () => {
    await spend(5n);
    const requestId = uniqueId("reset");
    const first = await reset(requestId);
    await spend(2n);
    const again = await reset(requestId);
    expect(again).to.deep.include({
      forgiven: first.forgiven,
      periodStartTime: first.periodStartTime,
      spent: 2n * DOLLAR,
      replayed: true,
    });
    expect(await spent()).to.equal(2n * DOLLAR);
    const without = await reset();
    expect(without.forgiven).to.equal(2n * DOLLAR);
    await expectBalancedBooks(app);
  });

  it("stays exact among records, revisions and resets at the same time", async () => {
    const ids = Array.from({ length: 20 }, () => uniqueId("u"));
    await Promise.all([
      ...ids.map((requestId) => spend(1n, { requestId })),
      ...Array.from({ length: 10 }, () => reset()),
      ...ids.slice(0, 10).map((requestId) => spend(2n, { requestId })),
    ]);
    await expectBalancedBooks(app);
    await reset();
    expect(await spent()).to.equal(0n);
    await expectBalancedBooks(app);
  });

  it("refuses a budget that there is not", async () => {
    const error = await rpcFailure(app.clients.catalog.resetBudget({ budgetId: "none" }));
    expect([error.code, error.reason]).to.deep.equal([Code.NOT_FOUND, "RESOURCE_NOT_FOUND"]);
  });
});
