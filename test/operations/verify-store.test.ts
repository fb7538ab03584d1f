import { expect } from "chai";
import type { Database } from "../../src/database/database.js";
import { createLedgerVerifier } from "../../src/operations/verify.js";
import { createVerifyStore } from "../../src/operations/verify-store.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { insertTestBudgets, recordAll, sampleRecords } from "./ledger-fixture.js";

describe("createVerifyStore", () => {
  let testDatabase: TestDatabase;
  let database: Database;

  beforeEach(async () => {
    testDatabase = await createTestDatabase({ statementTimeoutMs: 1_000 });
    database = testDatabase.database;
    await insertTestBudgets(database);
  });
  afterEach(() => testDatabase.drop());

  it("asks all questions of one moment, while records are posted", async () => {
    const records = sampleRecords(60, 3);
    await recordAll(database, records.slice(0, 20));
    const store = createVerifyStore(database);
    const seen: bigint[] = [];
    const report = await createLedgerVerifier({
      inSnapshot: (work) =>
        store.inSnapshot((snapshot) =>
          work({
            count: () => snapshot.count(),
            async run(check, limit) {
              await recordAll(database, records.splice(20, 5));
              seen.push((await snapshot.count()).records);
              return snapshot.run(check, limit);
            },
          }),
        ),
    }).verify({ maxDrifts: 10 });
    expect(report.drifts).to.deep.equal([]);
    expect(seen).to.deep.equal([20n, 20n, 20n, 20n, 20n, 20n]);
    expect(await database.knex("usage_records")).to.have.lengthOf(50);
  });

  it("cannot write", async () => {
    const sql = "select nextval('price_version_number')::text as subject, 'f' as figure";
    const error = await createVerifyStore(database)
      .inSnapshot((snapshot) => snapshot.run({ name: "record", sql }, 1))
      .catch((reason) => reason);
    expect(error).to.have.property("code", "25006"); // read_only_sql_transaction
  });

  it("may take longer than a statement of a call", async () => {
    const sql = `select 's' as subject, 'f' as figure, '1' as stored, '2' as recomputed
      from pg_sleep(1.1)`;
    const found = await createVerifyStore(database).inSnapshot((snapshot) =>
      snapshot.run({ name: "record", sql }, 1),
    );
    expect(found).to.deep.equal({
      driftCount: 1n,
      drifts: [{ check: "record", subject: "s", figure: "f", stored: "1", recomputed: "2" }],
    });
  });

  it("counts every drift and lists the first, in order", async () => {
    const sql = `select 's' || n as subject, 'f' as figure, '1' as stored, '2' as recomputed
      from generate_series(5, 1, -1) n`;
    const store = createVerifyStore(database);
    const listed = async (limit: number) => {
      const { driftCount, drifts } = await store.inSnapshot((snapshot) =>
        snapshot.run({ name: "rollup", sql }, limit),
      );
      return [driftCount, ...drifts.map(({ subject }) => subject)];
    };
    expect(await listed(2)).to.deep.equal([5n, "s1", "s2"]);
    expect(await listed(0)).to.deep.equal([5n]);
  });
});
