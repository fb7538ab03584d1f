import { randomUUID } from "node:crypto";
import type { Logger } from "pino";
import { createAnalytics, openCache } from "./app-analytics.js";
import { startCatalog } from "./app-catalog.js";
import type { Stop } from "./app-context.js";
import { startIdentity } from "./app-identity.js";
import { type AppMetrics, createAppMetrics } from "./app-metrics.js";
import { startOperations } from "./app-operations.js";
import { startQuota } from "./app-quota.js";
import { type AppAddresses, startServer, startTls } from "./app-server.js";
import { openTracing } from "./app-tracing.js";
import { startUsage } from "./app-usage.js";
import type { Config } from "./config.js";
import type { TlsKeeper } from "./server/tls.js";
import { openStorage } from "./storage.js";

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

/** What an app is given beside its settings. */
export interface AppParts {
  readonly logger: Logger;
  /** The clock of records, milliseconds since 1970. Default: this machine's. */
  readonly nowMs?: () => number;
}

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
