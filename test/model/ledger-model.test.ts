import { createFakeLedgerDatabase } from "./fake-ledger-database.js";
import { checkLedgerModel } from "./ledger-model.js";
import { createPostgresLedger, type PostgresLedger } from "./postgres-ledger-database.js";

describe("the ledger, whatever happens to replicas, network and clock", () => {
  let postgres: PostgresLedger;

  before(async () => {
    postgres = await createPostgresLedger();
  });
  after(() => postgres.close());

  it("never overspends and leaves nothing behind, over a database in memory", async () => {
    await checkLedgerModel(async (limit) => createFakeLedgerDatabase(limit), { numRuns: 300 });
  }).timeout(60_000);

  it("never overspends and leaves nothing behind, over PostgreSQL", async () => {
    await checkLedgerModel((limit) => postgres.open(limit), { numRuns: 15, maxCommands: 40 });
  }).timeout(60_000);
});
