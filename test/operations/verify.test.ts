import { expect } from "chai";
import fc from "fast-check";
import type { Database } from "../../src/database/database.js";
import { createLedgerVerifier, type LedgerReport } from "../../src/operations/verify.js";
import { createVerifyStore } from "../../src/operations/verify-store.js";
import { sumParts } from "../../src/pricing/cost-breakdown.js";
import { isFinished, type UsageRecord } from "../../src/usage/usage-record.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { recordContents, toRecord } from "./ledger-arbitraries.js";
import {
  clearUsage,
  holdOf,
  insertLease,
  insertTestBudgets,
  recordAll,
  replaceAll,
  sampleRecords,
} from "./ledger-fixture.js";

describe("createLedgerVerifier", () => {
  let testDatabase: TestDatabase;
  let database: Database;

  before(async () => {
    testDatabase = await createTestDatabase();
    database = testDatabase.database;
    await insertTestBudgets(database);
  });
  after(() => testDatabase.drop());
  beforeEach(() => clearUsage(database));

  function verify(): Promise<LedgerReport> {
    return createLedgerVerifier(createVerifyStore(database)).verify({ maxDrifts: 10 });
  }

  async function expectRight(records: readonly UsageRecord[]): Promise<void> {
    const finished = records.filter(({ status }) => isFinished(status));
    const { driftCount, drifts, totalCostNanoUsd, ...counts } = await verify();
    expect(drifts).to.deep.equal([]);
    expect(driftCount).to.equal(0n);
    expect(totalCostNanoUsd).to.equal(
      finished.reduce((sum, { cost }) => sum + cost.totalNanoUsd, 0n),
    );
    expect(counts.records).to.equal(BigInt(records.length));
  }

  it("finds nothing in empty books", async () => {
    const { snapshotTimeMs, ...report } = await verify();
    expect(report).to.deep.equal({
      records: 0n,
      budgetPeriods: 0n,
      rollups: 0n,
      subjectTotals: 0n,
      purgedRecords: 0n,
      totalCostNanoUsd: 0n,
      driftCount: 0n,
      drifts: [],
    });
    expect(Math.abs(snapshotTimeMs - Date.now())).to.be.below(60_000);
  });

  it("counts the rows that it compared", async () => {
    const records = sampleRecords(50, 1);
    await recordAll(database, records.slice(0, 25), 0);
    await recordAll(database, records.slice(25), 1);
    const { budgetPeriods, rollups, subjectTotals } = await verify();
    const count = async (table: string) => BigInt((await database.knex(table)).length);
    expect({ budgetPeriods, rollups, subjectTotals }).to.deep.equal({
      budgetPeriods: await count("budget_periods"),
      rollups: await count("usage_rollups"),
      subjectTotals: await count("subject_totals"),
    });
    expect(budgetPeriods > 3n && rollups > 100n && subjectTotals > 8n).to.equal(true);
  });

  it("finds the books right after any records and revisions", async () => {
    const batch = fc.record({
      contents: fc.array(recordContents, { minLength: 1, maxLength: 40 }),
      lane: fc.nat({ max: 2 }),
      revises: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 6 }), async (batches) => {
        await clearUsage(database);
        const books = new Map<string, UsageRecord>();
        let ids = 0;
        for (const { contents, lane, revises } of batches) {
          const written = contents.map((content, index) => {
            const existing = revises ? books.get(`r${index}`) : undefined;
            if (existing === undefined) return toRecord(content, `r${ids++}`);
            return toRecord(content, existing.requestId, existing.version + 1n);
          });
          await recordAll(
            database,
            written.filter(({ version }) => version === 1n),
            lane,
          );
          await replaceAll(
            database,
            written.filter(({ version }) => version > 1n),
            lane,
          );
          for (const record of written) books.set(record.requestId, record);
          await expectRight([...books.values()]);
        }
      }),
      { numRuns: 12 },
    );
  });

  it("finds the books right where sums pass 64 bits", async () => {
    const [content] = sampleRecords(1, 1);
    const cost = sumParts({
      inputNanoUsd: 9n * 10n ** 18n,
      outputNanoUsd: 0n,
      cacheCreationNanoUsd: 0n,
      cacheReadNanoUsd: 0n,
      requestNanoUsd: 0n,
    });
    // A row of totals holds 64 bits, so that each has its own subjects.
    const records = ["a", "b"].map((id): UsageRecord => {
      const subjects = { userId: id, apiKeyId: id, provider: id, model: id, apiFormat: id };
      return {
        ...content!,
        ...subjects,
        requestId: id,
        status: "COMPLETED",
        cost,
        tags: {},
        charges: [],
      };
    });
    await recordAll(database, records);
    const { totalCostNanoUsd, driftCount } = await verify();
    expect(totalCostNanoUsd).to.equal(18n * 10n ** 18n);
    expect(driftCount).to.equal(0n);
  });

  it("finds the books right after a reservation is settled", async () => {
    const [settling, ...others] = sampleRecords(20, 2);
    const period = { budget_id: "all", period_start: "1970-01-01T00:00:00.000Z" };
    const lease = { budgetId: "all", periodStart: period.period_start, amount: 1_000 };
    await insertLease(database, { ...lease, replicaId: "one" });
    const hold = holdOf({
      ...period,
      reservation_id: "01900000-0000-7000-8000-000000000001",
      lease_id: await insertLease(database, { ...lease, replicaId: "two" }),
      held: "400",
    });
    await recordAll(database, others);
    await recordAll(database, [{ ...settling!, status: "COMPLETED" }], 0, [hold]);
    const [{ leased }] = await database.knex("budget_periods").where(period).select("leased");
    expect(leased).to.equal(1_600n);
    await expectRight([{ ...settling!, status: "COMPLETED" }, ...others]);
  });

  it("waits for the verification before, and is not troubled by its failure", async () => {
    let [running, most] = [0, 0];
    const store = createVerifyStore(database);
    const verifier = createLedgerVerifier({
      async inSnapshot(work) {
        running += 1;
        most = Math.max(most, running);
        return store.inSnapshot(work).finally(() => {
          running -= 1;
        });
      },
    });
    const throwIfOver = () => {
      throw new Error("nobody waits");
    };
    const results = await Promise.allSettled([
      verifier.verify({ maxDrifts: 1 }),
      verifier.verify({ maxDrifts: 1, throwIfOver }),
      verifier.verify({ maxDrifts: 1 }),
    ]);
    expect(results.map(({ status }) => status)).to.deep.equal([
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(most).to.equal(1);
  });

  it("stops between two steps when nobody waits any more", async () => {
    let steps = 0;
    const verification = createLedgerVerifier(createVerifyStore(database)).verify({
      maxDrifts: 1,
      throwIfOver: () => {
        steps += 1;
        if (steps === 3) throw new Error("nobody waits");
      },
    });
    const error = await verification.catch((reason) => reason);
    expect(error).to.have.property("message", "nobody waits");
    expect(steps).to.equal(3);
  });
});
