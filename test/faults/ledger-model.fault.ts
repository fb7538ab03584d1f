import { createFakeLedgerDatabase } from "../model/fake-ledger-database.js";
import { checkLedgerModel } from "../model/ledger-model.js";
import { createPostgresLedger, type PostgresLedger } from "../model/postgres-ledger-database.js";
import { faultSeed } from "../support/fault-settings.js";

describe(`the ledger's model, at length (FAULT_SEED=${faultSeed})`, () => {
  let postgres: PostgresLedger;

  before(async () => {
    postgres = await createPostgresLedger();
  });
  after(() => postgres.close());

  it("holds in 10,000 sequences over a database in memory", async () => {
    const options = { numRuns: 10_000, seed: faultSeed };
    await checkLedgerModel(async (limit) => createFakeLedgerDatabase(limit), options);
  });

  it("holds in 300 sequences over PostgreSQL", async () => {
    await checkLedgerModel((limit) => postgres.open(limit), { numRuns: 300, seed: faultSeed });
  });
});
