import { createFakeLedgerDatabase } from "./fake-ledger-database.js";
import { checkLedgerModel } from "./ledger-model.js";

describe("the ledger, whatever happens to replicas, network and clock", () => {
  it("never overspends and leaves nothing behind, over a database in memory", async () => {
    await checkLedgerModel(async (limit) => createFakeLedgerDatabase(limit), { numRuns: 300 });
  });
});
