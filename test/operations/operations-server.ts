import { createCatalogDirectory } from "../../src/catalog/directory.js";
import { createRebuildStore } from "../../src/operations/rebuild/rebuild-store.js";
import { createRollupRebuilder } from "../../src/operations/rebuild/rebuilder.js";
import { createServerInfoStore } from "../../src/operations/server-info-store.js";
import { createOperationsService } from "../../src/operations/service.js";
import { createLedgerVerifier } from "../../src/operations/verify.js";
import { createVerifyStore } from "../../src/operations/verify-store.js";
import { createPriceBook } from "../../src/pricing/price-book.js";
import { createRepriceStore } from "../../src/usage/reprice/reprice-store.js";
import { createRepricer } from "../../src/usage/reprice/repricer.js";
import { createUsagePurger } from "../../src/usage/retention/retention.js";
import { createRetentionStore } from "../../src/usage/retention/retention-store.js";
import { startTestServer, type TestServer } from "../server/test-server.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";

/** The Operations service on a database and a port of its own. */
export interface OperationsServer {
  readonly database: TestDatabase["database"];
  readonly server: TestServer;
  stop(): Promise<void>;
}

/** What GetServerInfo has to tell. */
export const SERVER_INFO = {
  version: "1.2.3",
  startTimeMs: Date.parse("2026-01-01T00:00:00.250Z"),
  replicaId: "replica-1",
  isEmbedded: true,
};

/** Starts it, with no records in the books. */
export async function startOperationsServer(): Promise<OperationsServer> {
  const { database, drop } = await createTestDatabase();
  const operations = createOperationsService({
    verifier: createLedgerVerifier(createVerifyStore(database)),
    store: createServerInfoStore(database),
    info: SERVER_INFO,
    purger: createUsagePurger(createRetentionStore(database)),
    retentionLimits: () => ({ bodyDays: 7, headerDays: 90, recordDays: 365, keyDays: 35 }),
    repricer: createRepricer({
      store: createRepriceStore(database),
      directory: createCatalogDirectory(),
      pricing: createPriceBook(),
      nowUs: () => Date.now() * 1_000,
    }),
    rebuilder: createRollupRebuilder(createRebuildStore(database)),
    nowMs: () => performance.now(),
    staleRequests: { count: async () => 0, expire: async () => 0 },
  });
  const server = await startTestServer({ services: [operations] });
  return {
    database,
    server,
    async stop() {
      await server.stop();
      await drop();
    },
  };
}
