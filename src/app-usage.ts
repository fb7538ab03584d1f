import { v7 as uuidV7 } from "uuid";
import { RecordUsageRequestSchema } from "../gen/tally/v1/usage_recorder_pb.js";
import type { Catalog } from "./app-catalog.js";
import type { AppContext, Stop } from "./app-context.js";
import type { Quota } from "./app-quota.js";
import { traceCommits } from "./app-tracing.js";
import { createWarnLimiter } from "./pricing/warn-limiter.js";
import { fromLeaseJson, fromPeriodJson } from "./quota/ledger-json.js";
import { decodeReservation } from "./quota/service.js";
import { allViolations, validateMessage } from "./server/validate.js";
import { createActiveRequests } from "./usage/active-requests.js";
import { createActiveStore } from "./usage/active-store.js";
import { createActiveWatch } from "./usage/active-watch.js";
import { createExpirer } from "./usage/expirer.js";
import { createListStore } from "./usage/list-store.js";
import { overagesOf } from "./usage/overage.js";
import { createPartitionKeeper } from "./usage/partitions.js";
import { createUsagePreparer } from "./usage/prepare.js";
import { selectPayload } from "./usage/privacy.js";
import { createRecorder } from "./usage/recorder.js";
import { createUsageService } from "./usage/service.js";
import { createSweeper } from "./usage/sweeper.js";
import { createUsageStore } from "./usage/usage-store.js";

/** The recorder, what becomes of requests that were forgotten, and who reads records. */
export async function startUsage(
  { config, storage, logger, nowUs, metrics, tracing }: AppContext,
  { directory, priceBook, priceVersions }: Catalog,
  { ledger, codec }: Quota,
  stops: Stop[],
) {
  const store = traceCommits(metrics.usageStore(createUsageStore(storage.database)), tracing);
  const limitOf = (budgetId: string) => directory.budget(budgetId)?.limit ?? undefined;
  const partitions = createPartitionKeeper(store);
  await partitions.start(nowUs());
  const unpriced = createWarnLimiter({ nowMs: () => performance.now() });
  const namelessStreams = createWarnLimiter({ nowMs: () => performance.now() });
  const recorder = createRecorder({
    ...config.recorder,
    store,
    partitions,
    logger,
    nowUs,
    preparer: createUsagePreparer({
      directory,
      pricing: priceBook,
      onUnpriced({ model, provider }) {
        if (unpriced.shouldWarn(model)) logger.warn({ model, provider }, "model has no price");
      },
    }),
    onPosted(answer, uids) {
      const { leases, periods } = answer;
      ledger.settled({ uids, leases: leases.map(fromLeaseJson) }, periods.map(fromPeriodJson));
      metrics.metrics.add("tally_budget_overages_total", overagesOf(answer, limitOf).size);
    },
    limitOf,
  });
  metrics.watchRecorder(recorder, config.recorder.queueLimit);
  stops.push(() => recorder.stop());
  const activeStore = createActiveStore(storage.database);
  const expirer = metrics.expirer(
    createExpirer({ store: activeStore, recorder, directory, nowUs }),
  );
  const sweeper = createSweeper({ store: activeStore, expirer, logger });
  stops.push(() => sweeper.stop());
  sweeper.start();
  const service = createUsageService({
    recorder,
    store,
    listStore: createListStore(storage.database),
    activeRequests: createActiveRequests({ activeStore, store, expirer }),
    activeWatch: createActiveWatch({ activeStore, store, logger }),
    providerKey: (id) => directory.providerKey(id),
    nowUs,
    makeRequestId: () => uuidV7(),
    decodeReservation: (id, field) => decodeReservation(codec, id, field),
    onNamelessStream({ requestId, userId, model }) {
      if (!namelessStreams.shouldWarn(userId)) return;
      logger.warn({ usageRequestId: requestId, userId, model }, "streaming without a provider");
    },
    selectPayload: (payload) => selectPayload(payload, directory.settings),
    priceVersion: (version) => priceVersions.find(version),
    itemViolations: (request, path, further) =>
      allViolations(validateMessage(RecordUsageRequestSchema, request, path), further),
  });
  return { expirer, service };
}
