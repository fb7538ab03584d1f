import type { Catalog } from "./app-catalog.js";
import type { AppContext, Stop } from "./app-context.js";
import { createRebuildStore } from "./operations/rebuild/rebuild-store.js";
import { createRollupRebuilder } from "./operations/rebuild/rebuilder.js";
import { createServerInfoStore } from "./operations/server-info-store.js";
import { createOperationsService, type StaleRequests } from "./operations/service.js";
import { createLedgerVerifier } from "./operations/verify.js";
import { createVerifyStore } from "./operations/verify-store.js";
import type { ServiceImplementation } from "./server/handler.js";
import { createRepriceStore } from "./usage/reprice/reprice-store.js";
import { createRepricer } from "./usage/reprice/repricer.js";
import { createUsagePurger, retentionLimitsOf } from "./usage/retention/retention.js";
import { createRetentionSchedule } from "./usage/retention/retention-schedule.js";
import { createRetentionStore } from "./usage/retention/retention-store.js";
import { readVersion } from "./version.js";

/** Keeping the books: verifying, purging, repricing, rebuilding. */
export function startOperations(
  { storage, replicaId, logger, nowUs, metrics }: AppContext,
  { directory, priceBook }: Catalog,
  staleRequests: StaleRequests,
  stops: Stop[],
): ServiceImplementation {
  const purger = metrics.purger(createUsagePurger(createRetentionStore(storage.database)));
  const retentionLimits = () => retentionLimitsOf(directory.settings);
  const schedule = createRetentionSchedule({ purger, limits: retentionLimits, logger });
  stops.push(() => schedule.stop());
  schedule.start();
  return createOperationsService({
    purger,
    retentionLimits,
    repricer: createRepricer({
      store: createRepriceStore(storage.database),
      directory,
      pricing: priceBook,
      nowUs,
    }),
    rebuilder: createRollupRebuilder(createRebuildStore(storage.database)),
    nowMs: () => performance.now(),
    verifier: metrics.verifier(createLedgerVerifier(createVerifyStore(storage.database))),
    store: createServerInfoStore(storage.database),
    info: {
      version: readVersion(),
      startTimeMs: Date.now(),
      replicaId,
      isEmbedded: storage.isEmbedded,
    },
    staleRequests,
  });
}
