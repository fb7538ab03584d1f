import { CheckQuotaRequestSchema } from "../gen/tally/v1/quota_checker_pb.js";
import type { Catalog } from "./app-catalog.js";
import type { AppContext, Stop } from "./app-context.js";
import { createNotificationListener } from "./database/listen.js";
import { createWarnLimiter } from "./pricing/warn-limiter.js";
import { createAlertFeed } from "./quota/alert-feed.js";
import { createAlertStore } from "./quota/alert-store.js";
import { createChecker } from "./quota/check.js";
import { createReservationExtender } from "./quota/extension.js";
import { createLedger } from "./quota/ledger.js";
import { createLedgerStore } from "./quota/ledger-store.js";
import { createProvisioningChecker } from "./quota/provisioning.js";
import { createReservationIdCodec } from "./quota/reservation-id.js";
import { createQuotaService } from "./quota/service.js";
import {
  createSettledAnnouncer,
  readSettledNotice,
  SETTLED_CHANNEL,
} from "./quota/settled-notices.js";
import { createUncheckedCounter } from "./quota/unchecked-passes.js";
import { allViolations, validateMessage } from "./server/validate.js";

/** The ledger as other parts use it. */
export type Quota = Awaited<ReturnType<typeof startQuota>>;

/** The ledger, and who asks it. */
export async function startQuota(
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
