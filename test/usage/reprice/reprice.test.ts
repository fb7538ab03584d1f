import { expect } from "chai";
import type { RepriceResponse } from "../../../gen/tally/v1/operations_pb.js";
import { BudgetMeasure, BudgetScope, BudgetWindowKind } from "../../../gen/tally/v1/usage_pb.js";
import { tryAdvisoryLock } from "../../../src/database/advisory-lock.js";
import { startTestApp, type TestApp } from "../../support/app.js";
import { expectBalancedBooks } from "../../support/books.js";
import { rpcFailure } from "../../support/rpc-failure.js";
import { uniqueId } from "../../support/unique-id.js";
import { readStatistics } from "../retention/retention-fixture.js";
import {
  at,
  readSpent,
  readTotals,
  USAGE_CATALOG,
  type UsageInit,
  usage,
} from "../usage-fixture.js";
import { reprice } from "./reprice-fixture.js";

const MAY = { startTime: at("2026-05-01T00:00:00Z"), endTime: at("2026-06-01T00:00:00Z") };

/** $6 and $30 per million tokens instead of $3 and $15, and no price per request. */
const DOUBLE = {
  tiers: [{ inputNanoUsdPerMillion: 6_000_000_000n, outputNanoUsdPerMillion: 30_000_000_000n }],
};

describe("Reprice", () => {
  let app: TestApp;

  beforeEach(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
    await app.apply({
      budgets: [
        { budgetId: "sonnet", scope: BudgetScope.MODEL, subject: "sonnet" },
        { budgetId: "new", scope: BudgetScope.MODEL, subject: "new" },
        { budgetId: "tokens", scope: BudgetScope.GLOBAL, measure: BudgetMeasure.TOKENS },
        {
          budgetId: "acme",
          scope: BudgetScope.PROVIDER,
          subject: "acme",
          window: { kind: BudgetWindowKind.MONTH },
        },
      ],
    });
  });
  afterEach(() => app.stop());

  async function record(fields: UsageInit = {}): Promise<string> {
    const told = usage({ createTime: at("2026-05-05T12:00:00Z"), ...fields });
    await app.clients.recorder.recordUsage({ usage: told });
    return told.requestId;
  }

  function setPrice(model: string, price: object): Promise<void> {
    return app.apply({ prices: [{ model, price }] });
  }

  it("tells in a dry run what the real one then does, and a second one does nothing", async () => {
    for (let count = 0; count < 3; count += 1) await record();
    await record({ providerApiKeyId: "cheap" });
    await record({ createTime: at("2026-06-01T00:00:00Z") });
    await record({ model: "retired" });
    await setPrice("sonnet", DOUBLE);
    const before = await readStatistics(app.database);
    const dry = await reprice(app, { ...MAY, dryRun: true });
    expect(await readStatistics(app.database)).to.deep.equal(before);
    // 1,000 and 100 tokens: $0.0065 with its $0.002 per request, now $0.009.
    expect(plain(dry)).to.deep.equal({
      records: 5n,
      changedRecords: 4n,
      unpricedRecords: 1n,
      done: true,
      dryRun: true,
      models: [
        {
          model: "sonnet",
          changedRecords: 4n,
          costBeforeNanoUsd: "26000000",
          costAfterNanoUsd: "36000000",
          actualCostBeforeNanoUsd: "25025000",
          actualCostAfterNanoUsd: "34650000",
        },
      ],
    });
    const requestId = uniqueId("reprice");
    const real = await reprice(app, { ...MAY, requestId });
    expect(plain(real)).to.deep.equal({ ...plain(dry), dryRun: false });
    expect(await readSpent(app.database, "sonnet")).to.equal(36_000_000n + 6_500_000n);
    expect(await readSpent(app.database, "acme", "2026-05-01")).to.equal(34_650_000n);
    expect(await readTotals(app.database, "MODEL", "sonnet")).to.include({
      requests: 5n,
      cost: 36_000_000n + 6_500_000n,
    });
    await expectBalancedBooks(app);

    const after = await readStatistics(app.database);
    expect(plain(await reprice(app, { ...MAY, requestId }))).to.deep.equal(plain(real));
    const again = await reprice(app, { ...MAY, requestId: uniqueId("reprice") });
    expect(again).to.include({ records: 5n, changedRecords: 0n });
    expect(await readStatistics(app.database)).to.deep.equal(after);
  });

  it("makes a changed record a revision with the price of its time, and keeps what was told", async () => {
    const told = usage({ createTime: at("2026-05-05T12:00:00Z") });
    const { recorder } = app.clients;
    const { record: first } = await recorder.recordUsage({ usage: told });
    await app.apply({
      prices: [
        { model: "sonnet", price: DOUBLE, effectiveTime: at("2026-05-01T00:00:00Z") },
        { model: "sonnet", price: { tiers: [{}] }, effectiveTime: at("2026-05-06T00:00:00Z") },
      ],
    });
    await reprice(app, { ...MAY, requestId: uniqueId("reprice") });
    const { record: second } = await recorder.getUsage({ requestId: told.requestId });
    expect(second?.cost?.totalNanoUsd).to.equal(9_000_000n);
    expect(second?.price?.tiers[0]?.outputNanoUsdPerMillion).to.equal(30_000_000_000n);
    expect([first?.revision, second?.revision]).to.deep.equal([1n, 2n]);
    expect(second?.finishTime).to.deep.equal(first?.finishTime);
    const replay = await recorder.recordUsage({ usage: told });
    expect(replay.outcome).to.equal(4);
    expect(replay.record?.cost?.totalNanoUsd).to.equal(9_000_000n);
  });

  it("charges the budgets of a record that had no price, in the period of its arrival", async () => {
    await record({ model: "new" });
    await record({ model: "new", excludeFromBudgets: true });
    await record();
    await setPrice("new", DOUBLE);
    await setPrice("sonnet", DOUBLE);
    const { models } = await reprice(app, {
      ...MAY,
      onlyUnpriced: true,
      requestId: uniqueId("reprice"),
    });
    expect(models.map(({ model, changedRecords }) => [model, changedRecords])).to.deep.equal([
      ["new", 2n],
    ]);
    expect(await readSpent(app.database, "new")).to.equal(9_000_000n);
    expect(await readSpent(app.database, "acme", "2026-05-01")).to.equal(15_500_000n);
    expect(await readSpent(app.database, "tokens")).to.equal(2_200n);
    await expectBalancedBooks(app);
  });

  it("keeps the record's own multiplier unless told to take the key's of now", async () => {
    await record({ providerApiKeyId: "cheap" });
    await app.apply({
      providerKeys: [{ providerKeyId: "cheap", provider: "acme", rateMultiplier: "0.5" }],
    });
    expect(await reprice(app, { ...MAY, dryRun: true })).to.include({ changedRecords: 0n });
    const useCurrent = { ...MAY, useCurrentRateMultipliers: true };
    const { models } = await reprice(app, { ...useCurrent, requestId: uniqueId("reprice") });
    expect(models[0]).to.include({
      costAfterNanoUsd: "6500000",
      actualCostBeforeNanoUsd: "5525000",
      actualCostAfterNanoUsd: "3250000",
    });
    expect(await readSpent(app.database, "acme", "2026-05-01")).to.equal(3_250_000n);
    await expectBalancedBooks(app);
  });

  it("takes nothing back where the model was retired or its budget is new", async () => {
    await record({ model: "kept" });
    await setPrice("kept", DOUBLE);
    await reprice(app, { ...MAY, requestId: uniqueId("reprice") });
    await app.apply({
      models: [{ model: "kept", active: false }],
      budgets: [{ budgetId: "late", scope: BudgetScope.MODEL, subject: "sonnet" }],
    });
    expect(await reprice(app, { ...MAY, dryRun: true })).to.include({
      unpricedRecords: 1n,
      changedRecords: 0n,
    });
    await record();
    await app.database.knex.raw("update usage_records set charges = null where model = 'sonnet'");
    await app.database.knex("budget_periods").whereIn("budget_id", ["late", "sonnet"]).delete();
    await setPrice("sonnet", DOUBLE);
    await reprice(app, { ...MAY, requestId: uniqueId("reprice") });
    expect(await readSpent(app.database, "late")).to.equal(0n);
  });

  it("passes over what the filters leave out", async () => {
    const userId = uniqueId("user");
    await record({ userId, apiKeyId: "k1" });
    await record({ userId, apiKeyId: "k2", provider: "other" });
    await record();
    await setPrice("sonnet", DOUBLE);
    for (const [filter, expected] of [
      [{ userId }, 2n],
      [{ userId, apiKeyId: "k2" }, 1n],
      [{ provider: "other" }, 1n],
      [{ model: "sonnet" }, 3n],
      [{ model: "tiered" }, 0n],
      [{ onlyUnpriced: true }, 0n],
    ] as const) {
      const { records } = await reprice(app, { ...MAY, ...filter, dryRun: true });
      expect(
        records,
        JSON.stringify(filter, (_, v) => String(v)),
      ).to.equal(expected);
    }
  });

  it("writes down who asked for what, and refuses the id for another request", async () => {
    await record();
    await reprice(app, { ...MAY, requestId: "r", model: "sonnet" });
    const [row] = await app.database.knex("reprices");
    expect(row).to.deep.include({ request_id: "r", requested_by: "local", records: 1n });
    expect(row.parameters).to.include({ model: "sonnet", only_unpriced: false });
    expect(row.end_time).to.be.instanceOf(Date);
    const failure = await rpcFailure(reprice(app, { ...MAY, requestId: "r" }));
    expect(failure.reason).to.equal("TASK_CONFLICT");
    const { entries } = await app.clients.catalog.listAuditLog({ resourceType: "reprice" });
    expect(
      entries.map(({ actor, method, resourceId }) => [actor, method, resourceId]),
    ).to.deep.equal([["local", "Reprice", "r"]]);
    expect(entries[0]?.after).to.include({
      model: "sonnet",
      end_time: "2026-06-01T00:00:00.000000Z",
    });
  });

  it("refuses to begin while another one is under way", async () => {
    const lock = await tryAdvisoryLock(app.database, "tally reprice");
    const failure = await rpcFailure(reprice(app, { ...MAY, requestId: "r" }));
    await lock?.release();
    expect(failure.reason).to.equal("TASK_UNDER_WAY");
  });

  for (const [field, fields] of [
    ["request_id", { ...MAY }],
    ["end_time", { ...MAY, endTime: MAY.startTime, dryRun: true }],
    ["start_time", { endTime: MAY.endTime, dryRun: true }],
  ] as const) {
    it(`refuses a bad ${field}`, async () => {
      const failure = await rpcFailure(reprice(app, fields));
      expect(failure.reason).to.equal("INVALID_FIELD");
      expect(failure.message).to.include(field);
    });
  }
});

function plain({ $typeName, models, ...response }: RepriceResponse) {
  return { ...response, models: models.map(({ $typeName: _, ...model }) => model) };
}
