import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { v7 as uuidV7 } from "uuid";
import { CheckQuotaRequestSchema } from "../gen/tally/v1/quota_checker_pb.js";
import { RecordUsageRequestSchema } from "../gen/tally/v1/usage_recorder_pb.js";
import { createAnalytics, type OpenCache, openCache } from "./app-analytics.js";
import { startIdentity } from "./app-identity.js";
import { type AppMetrics, createAppMetrics } from "./app-metrics.js";
import { type AppAddresses, startServer, startTls } from "./app-server.js";
import { openTracing, traceCommits } from "./app-tracing.js";
import { createCatalogApplier } from "./catalog/apply.js";
import { createAuditLog } from "./catalog/audit-log.js";
import { createCatalogChanges } from "./catalog/changes.js";
import { createCatalogDirectory } from "./catalog/directory.js";
import { createCatalogEditor } from "./catalog/editor.js";
import { createCatalogFollower } from "./catalog/follower.js";
import { createPriceImporter } from "./catalog/price-import.js";
import { createPriceVersions } from "./catalog/price-versions.js";
import { createProvisioner } from "./catalog/provisioner.js";
import { createCatalogService } from "./catalog/service.js";
import { createSettingsEditor } from "./catalog/settings-editor.js";
import type { Config } from "./config.js";
import { createNotificationListener } from "./database/listen.js";
import { createRebuildStore } from "./operations/rebuild/rebuild-store.js";
import { createRollupRebuilder } from "./operations/rebuild/rebuilder.js";
import { createServerInfoStore } from "./operations/server-info-store.js";
import { createOperationsService, type StaleRequests } from "./operations/service.js";
import { createLedgerVerifier } from "./operations/verify.js";
import { createVerifyStore } from "./operations/verify-store.js";
import { createPriceBook } from "./pricing/price-book.js";
import { createWarnLimiter } from "./pricing/warn-limiter.js";
import { createAlertFeed } from "./quota/alert-feed.js";
import { createAlertStore } from "./quota/alert-store.js";
import { createChecker } from "./quota/check.js";
import { createReservationExtender } from "./quota/extension.js";
import { createLedger } from "./quota/ledger.js";
import { fromLeaseJson, fromPeriodJson } from "./quota/ledger-json.js";
import { createLedgerStore } from "./quota/ledger-store.js";
import { createProvisioningChecker } from "./quota/provisioning.js";
import { createReservationIdCodec } from "./quota/reservation-id.js";
import { createQuotaService, decodeReservation } from "./quota/service.js";
import {
  createSettledAnnouncer,
  readSettledNotice,
  SETTLED_CHANNEL,
} from "./quota/settled-notices.js";
import { createUncheckedCounter } from "./quota/unchecked-passes.js";
import type { ServiceImplementation } from "./server/handler.js";
import type { TlsKeeper } from "./server/tls.js";
import { allViolations, validateMessage } from "./server/validate.js";
import { openStorage, type Storage } from "./storage.js";
import type { Tracing } from "./telemetry/tracing.js";
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
import { createRepriceStore } from "./usage/reprice/reprice-store.js";
import { createRepricer } from "./usage/reprice/repricer.js";
import { createUsagePurger, retentionLimitsOf } from "./usage/retention/retention.js";
import { createRetentionSchedule } from "./usage/retention/retention-schedule.js";
import { createRetentionStore } from "./usage/retention/retention-store.js";
import { createUsageService } from "./usage/service.js";
import { createSweeper } from "./usage/sweeper.js";
import { createUsageStore } from "./usage/usage-store.js";
import { readVersion } from "./version.js";

/** Tally in this process. */
export interface App {
  /**
   * Starts everything, the ports last.
   * @returns where it listens
   */
  start(): Promise<AppAddresses>;
  /** Reads the certificate files again, which happens within seconds anyway. Never throws. */
  reload(): Promise<void>;
  /** What was counted since the start, in the text format of Prometheus. */
  metrics(): Promise<string>;
  /** Lets calls finish within the grace time, writes what was taken, and stops everything. */
  stop(): Promise<void>;
}

/** What every part is given. */
interface AppContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly storage: Storage;
  /** Undefined: nothing is encrypted. */
  readonly tls: TlsKeeper | undefined;
  /** This process in the ledger; a new one each start, for leases of a dead one are not its own. */
  readonly replicaId: string;
  /** The clock of records, microseconds since 1970, in whole milliseconds. */
  readonly nowUs: () => number;
  readonly metrics: AppMetrics;
  /** Undefined: nothing is traced. */
  readonly tracing: Tracing | undefined;
}

/** What an app is given beside its settings. */
export interface AppParts {
  readonly logger: Logger;
  /** The clock of records, milliseconds since 1970. Default: this machine's. */
  readonly nowMs?: () => number;
}

/** A part that was started, to be stopped in reverse order. */
type Stop = () => Promise<void>;

/** Makes an app; nothing happens before `start`. */
export function createApp(config: Config, { logger, nowMs = Date.now }: AppParts): App {
  const stops: Stop[] = [];
  let tls: TlsKeeper | undefined;
  let metrics: AppMetrics | undefined;

  async function stop(): Promise<void> {
    for (const stopPart of stops.splice(0).reverse()) await stopPart();
  }

  async function start(): Promise<AppAddresses> {
    try {
      metrics = createAppMetrics();
      stops.push(async () => metrics?.stop());
      // Early, since nothing else is quick to tell of a mistake.
      tls = await startTls(config, logger);
      stops.push(async () => tls?.stop());
      const storage = await openStorage(config, logger);
      stops.push(() => storage.stop());
      metrics.watchPool(storage.database);
      const tracing = await openTracing(config, logger);
      stops.push(async () => tracing?.stop());
      const nowUs = () => nowMs() * 1_000;
      const context = {
        config,
        logger,
        storage,
        tls,
        replicaId: randomUUID(),
        nowUs,
        metrics,
        tracing,
      };
      const identity = await startIdentity(context);
      stops.push(identity.stop);
      const cache = await openCache(config, logger, metrics);
      stops.push(cache.stop);
      const catalog = await startCatalog(context, cache, stops);
      const quota = await startQuota(context, catalog, stops);
      const usage = await startUsage(context, catalog, quota, stops);
      const operations = startOperations(context, catalog, usage.expirer, stops);
      const services = [
        usage.service,
        quota.service,
        catalog.service,
        createAnalytics({ ...catalog, storage, cache, nowUs }),
        operations,
        identity.service,
      ];
      return await startServer(context, { services, authenticator: identity.authenticator }, stops);
    } catch (error) {
      await stop();
      throw error;
    }
  }

  return {
    start,
    stop,
    reload: async () => tls?.reload(),
    metrics: async () => metrics?.metrics.text() ?? "",
  };
}

type Catalog = Awaited<ReturnType<typeof startCatalog>>;
type Quota = Awaited<ReturnType<typeof startQuota>>;

async function startCatalog(
  { storage, logger }: AppContext,
  { activity }: Pick<OpenCache, "activity">,
  stops: Stop[],
) {
  const { database, connection } = storage;
  const directory = createCatalogDirectory();
  const priceBook = createPriceBook();
  const priceVersions = createPriceVersions({ database, logger });
  const follower = createCatalogFollower({
    database,
    connection,
    directory,
    priceBook,
    priceVersions,
    onRoleChange: activity.forgetUsers,
    logger,
  });
  stops.push(() => follower.stop());
  await follower.start();
  const changes = createCatalogChanges({ database, refresh: follower.refresh });
  const service = createCatalogService({
    applier: createCatalogApplier({ database, changes, logger }),
    importer: createPriceImporter({ database, changes, logger }),
    editor: createCatalogEditor({ database, changes }),
    settings: createSettingsEditor({ database, changes }),
    auditLog: createAuditLog(database),
    changes,
    rules: validateMessage,
    makeId: () => uuidV7(),
  });
  const provisioner = createProvisioner({
    changes,
    directory,
    logger,
    nowMs: () => Date.now(),
    uptimeMs: () => performance.now(),
  });
  return { directory, priceBook, priceVersions, provisioner, service };
}

async function startQuota(
  context: AppContext,
  { directory, priceBook, provisioner }: Catalog,
  stops: Stop[],
) {
  const { storage, logger, replicaId } = context;
  const { metrics } = context;
  const store = metrics.ledgerStore(createLedgerStore(storage.database, replicaId));
  const announcer = createSettledAnnouncer({ notify: store.notifySettled, logger });
  const alertStore = metrics.alertStore(createAlertStore(storage.database));
  const unchecked = createUncheckedCounter(alertStore.fireUnchecked);
  const ledger = createLedger({
    store,
    onBeat: unchecked.flush,
    logger,
    announce: announcer.announce,
    answerTimeoutMs: context.config.quota.timeoutMs,
    onReserve: metrics.countReserve,
  });
  metrics.watchLedger(ledger);
  const listener = createNotificationListener({
    connection: storage.connection,
    channels: [SETTLED_CHANNEL],
    onNotification(_channel, payload) {
      const notice = readSettledNotice(payload);
      if (notice) ledger.settledElsewhere(notice);
    },
    // What was missed meanwhile is found out at the expiry of each reservation.
    onReconnect() {},
    logger,
  });
  stops.push(() => listener.stop());
  stops.push(() => ledger.stop());
  await Promise.all([listener.start(), ledger.start()]);
  const codec = createReservationIdCodec(Buffer.from(directory.settings.reservationKey, "hex"));
  const judging = {
    directory,
    pricing: priceBook,
    ledger,
    unpricedModelPolicy: () => directory.settings.unpricedModelPolicy,
  };
  const uncheckedWarning = createWarnLimiter({ nowMs: () => performance.now() });
  const { connection } = storage;
  const alerts = createAlertFeed({ store: alertStore, connection, logger });
  stops.push(() => alerts.stop());
  await alerts.start();
  const checker = createChecker({
    ...judging,
    onUnchecked(period) {
      unchecked.count(period);
      metrics.metrics.add("tally_quota_unchecked_passes_total");
      const { budgetId } = period;
      if (!uncheckedWarning.shouldWarn(budgetId)) return;
      logger.warn({ budgetId }, "the database is away: requests pass this budget unseen");
    },
  });
  const service = createQuotaService({
    checker: createProvisioningChecker({ checker, provision: provisioner.provision }),
    extender: createReservationExtender(judging),
    alerts,
    ledger,
    directory,
    codec,
    onChecked: metrics.countCheck,
    itemViolations: (request, path) =>
      allViolations(validateMessage(CheckQuotaRequestSchema, request, path), []),
  });
  return { ledger, codec, service };
}

async function startUsage(
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

function startOperations(
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
