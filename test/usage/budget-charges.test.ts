import { expect } from "chai";
import { ApiKeyKind } from "../../gen/tally/v1/catalog_pb.js";
import {
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  BudgetWindowKind,
  UsageStatus,
} from "../../gen/tally/v1/usage_pb.js";
import { type DocumentInit, startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { uniqueId } from "../support/unique-id.js";
import {
  at,
  readSpent,
  sonnetCost,
  USAGE_CATALOG,
  type UsageInit,
  usage,
} from "./usage-fixture.js";

type BudgetInit = NonNullable<DocumentInit["budgets"]>[number];

describe("budgets charged by RecordUsage", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
  });
  after(async () => {
    await expectBalancedBooks(app);
    await app.stop();
  });

  /** Makes budgets with ids of their own. */
  async function makeBudgets<Name extends string>(
    budgets: Record<Name, Omit<BudgetInit, "budgetId">>,
  ): Promise<Record<Name, string>> {
    const ids = Object.keys(budgets).map((name) => [name, uniqueId(`budget-${name}`)]);
    const idOf: Record<string, string> = Object.fromEntries(ids);
    const entries = Object.entries<Omit<BudgetInit, "budgetId">>(budgets);
    const withIds = entries.map(([name, budget]) => ({ ...budget, budgetId: idOf[name]! }));
    await app.apply({ budgets: withIds as BudgetInit[] });
    return idOf;
  }

  async function record(input: UsageInit) {
    return app.clients.recorder.recordUsage({ usage: usage(input) });
  }

  /** What the record says that it charged, by budget, which must be what the budgets spent. */
  async function chargesOf(input: UsageInit): Promise<Record<string, bigint>> {
    const { record: made } = await record(input);
    const charges: Record<string, bigint> = {};
    for (const { budgetId, amount } of made!.budgetCharges) {
      charges[budgetId] = amount;
      expect(await readSpent(app.database, budgetId), budgetId).to.equal(amount);
    }
    return charges;
  }

  it("are those of user, key, provider, model and tags, each in its measure", async () => {
    const [userId, apiKeyId] = [uniqueId("user"), uniqueId("key")];
    const [provider, model, team] = [uniqueId("provider"), uniqueId("model"), uniqueId("team")];
    const price = { inputNanoUsdPerMillion: 1_000_000n, outputNanoUsdPerMillion: 3_000_000n };
    const providerKeyId = uniqueId("half");
    await app.apply({
      users: [{ userId }],
      apiKeys: [{ apiKeyId, userId }],
      providers: [{ provider }],
      providerKeys: [{ providerKeyId, provider, rateMultiplier: "0.5" }],
      prices: [{ model, price: { tiers: [price] } }],
    });
    const ids = await makeBudgets({
      user: { scope: BudgetScope.USER, subject: userId, limit: 10_000n },
      userTokens: {
        scope: BudgetScope.USER,
        subject: userId,
        measure: BudgetMeasure.TOKENS,
        enforcement: BudgetEnforcement.SOFT,
      },
      userRequests: {
        scope: BudgetScope.USER,
        subject: userId,
        measure: BudgetMeasure.REQUESTS,
      },
      key: { scope: BudgetScope.API_KEY, subject: apiKeyId },
      provider: { scope: BudgetScope.PROVIDER, subject: provider },
      model: { scope: BudgetScope.MODEL, subject: model },
      team: { scope: BudgetScope.TAG, subject: `team=${team}` },
      stranger: { scope: BudgetScope.TAG, subject: `team=${team}2` },
      inactive: { scope: BudgetScope.USER, subject: userId, active: false },
    });
    const charges = await chargesOf({
      userId,
      apiKeyId,
      provider,
      model,
      providerApiKeyId: providerKeyId,
      tags: { team, purpose: "test" },
    });
    // 1,000 x 1 + 100 x 3 nano-USD; the provider is paid half of it.
    expect(charges).to.deep.equal({
      [ids.user]: 1_300n,
      [ids.userTokens]: 1_100n,
      [ids.userRequests]: 1n,
      [ids.key]: 1_300n,
      [ids.provider]: 650n,
      [ids.model]: 1_300n,
      [ids.team]: 1_300n,
    });
    for (const id of [ids.stranger, ids.inactive]) {
      expect(await readSpent(app.database, id), id).to.equal(0n);
    }
  });

  it("are the owner's of an ordinary key, when the request names the key alone", async () => {
    const [userId, apiKeyId] = [uniqueId("user"), uniqueId("key")];
    await app.apply({ users: [{ userId }], apiKeys: [{ apiKeyId, userId }] });
    const ids = await makeBudgets({ owner: { scope: BudgetScope.USER, subject: userId } });
    expect(await chargesOf({ userId: "", apiKeyId })).to.deep.equal({
      [ids.owner]: sonnetCost(1_000n, 100n),
    });
  });

  it("are the key's own of a standalone key, never its creator's", async () => {
    const [userId, apiKeyId] = [uniqueId("creator"), uniqueId("prepaid")];
    await app.apply({
      users: [{ userId }],
      apiKeys: [{ apiKeyId, userId, kind: ApiKeyKind.STANDALONE }],
    });
    const ids = await makeBudgets({
      creator: { scope: BudgetScope.USER, subject: userId },
      balance: { scope: BudgetScope.API_KEY, subject: apiKeyId, limit: 1_000_000_000n },
    });
    const cost = sonnetCost(1_000n, 100n);
    expect(await chargesOf({ userId, apiKeyId })).to.deep.equal({ [ids.balance]: cost });
    expect(await readSpent(app.database, ids.creator)).to.equal(0n);
  });

  it("of a free provider are charged nothing, those of the user in full", async () => {
    const userId = uniqueId("user");
    const ids = await makeBudgets({
      user: { scope: BudgetScope.USER, subject: userId },
      free: { scope: BudgetScope.PROVIDER, subject: "free" },
    });
    expect(await chargesOf({ userId, provider: "free" })).to.deep.equal({
      [ids.user]: sonnetCost(1_000n, 100n),
    });
  });

  it("are none when the request is excluded, or not finished", async () => {
    const userId = uniqueId("user");
    const ids = await makeBudgets({ user: { scope: BudgetScope.USER, subject: userId } });
    expect(await chargesOf({ userId, excludeFromBudgets: true })).to.deep.equal({});
    expect(await chargesOf({ userId, status: UsageStatus.STREAMING })).to.deep.equal({});
    expect(await readSpent(app.database, ids.user)).to.equal(0n);
  });

  it("are charged in the window of the request's arrival, in their own zone", async () => {
    const userId = uniqueId("user");
    const day = { kind: BudgetWindowKind.DAY, timeZone: "Asia/Kathmandu" };
    const ids = await makeBudgets({
      day: { scope: BudgetScope.USER, subject: userId, window: day },
      month: {
        scope: BudgetScope.USER,
        subject: userId,
        window: { kind: BudgetWindowKind.MONTH },
      },
    });
    // Midnight in Kathmandu is 18:15 UTC.
    await record({ userId, createTime: at("2026-02-28T18:14:59.999Z") });
    await record({ userId, createTime: at("2026-02-28T18:15:00Z") });
    const { rows } = await app.database.knex.raw(
      "select * from budget_periods where budget_id in (?, ?) order by budget_id, period_start",
      [ids.day, ids.month],
    );
    const cost = sonnetCost(1_000n, 100n);
    const found = rows.map((row: { budget_id: string; period_start: Date; spent: bigint }) => [
      row.budget_id,
      row.period_start.toISOString(),
      row.spent,
    ]);
    expect(found).to.deep.equal([
      [ids.day, "2026-02-27T18:15:00.000Z", cost],
      [ids.day, "2026-02-28T18:15:00.000Z", cost],
      [ids.month, "2026-02-01T00:00:00.000Z", 2n * cost],
    ]);
  });

  it("are charged past their limits, which the answer tells", async () => {
    const userId = uniqueId("user");
    const cost = sonnetCost(1_000n, 100n);
    const ids = await makeBudgets({
      hard: { scope: BudgetScope.USER, subject: userId, limit: cost },
      soft: {
        scope: BudgetScope.USER,
        subject: userId,
        limit: 0n,
        enforcement: BudgetEnforcement.SOFT,
      },
      wide: { scope: BudgetScope.USER, subject: userId, limit: 2n * cost },
    });
    const overagesOf = async () => {
      const { overages } = await record({ userId });
      return overages.map(({ budgetId, overage }) => [budgetId, overage]);
    };
    expect(await overagesOf()).to.deep.equal([[ids.soft, cost]]);
    expect(await overagesOf()).to.deep.equal([
      [ids.hard, cost],
      [ids.soft, 2n * cost],
    ]);
    const check = await app.clients.checker.checkQuota({ userId });
    expect(check.allowed).to.equal(false);
  });

  it("on everything are charged by all, standalone keys included", async () => {
    const apiKeyId = uniqueId("prepaid");
    await app.apply({ apiKeys: [{ apiKeyId, kind: ApiKeyKind.STANDALONE }] });
    const ids = await makeBudgets({ all: { scope: BudgetScope.GLOBAL } });
    await record({});
    await record({ userId: "", apiKeyId });
    await app.apply({ budgets: [{ budgetId: ids.all, scope: BudgetScope.GLOBAL, active: false }] });
    expect(await readSpent(app.database, ids.all)).to.equal(2n * sonnetCost(1_000n, 100n));
  });
});
