import { readFile } from "node:fs/promises";
import type { Logger } from "pino";
import type { Analytics } from "../gen/tally/v1/analytics_pb.js";
import { type ActivityCache, createActivityCache } from "./analytics/activity/activity-cache.js";
import { createActivityReader } from "./analytics/activity/activity-reader.js";
import { createActivityStore } from "./analytics/activity/activity-store.js";
import { createActivityService } from "./analytics/activity/service.js";
import { createAnalyticsStore } from "./analytics/analytics-store.js";
import { createAffinityStore } from "./analytics/records/affinity-store.js";
import { createBoundedReads } from "./analytics/records/bounded-reads.js";
import { createHitsStore } from "./analytics/records/hits-store.js";
import type { PriceVersionSource } from "./analytics/records/price-source.js";
import { createRecordsService } from "./analytics/records/service.js";
import { createTimelineStore } from "./analytics/records/timeline-store.js";
import { createAnalyticsService } from "./analytics/service.js";
import type { AppMetrics } from "./app-metrics.js";
import type { Cache } from "./cache/cache.js";
import { createMemoryCache } from "./cache/memory-cache.js";
import { createRedisCache } from "./cache/redis-cache.js";
import type { CatalogDirectory } from "./catalog/directory.js";
import { type Config, ConfigError } from "./config.js";
import type { ServiceImplementation } from "./server/handler.js";
import type { Storage } from "./storage.js";

/** The cache that answers of analytics are kept in. */
export interface OpenCache {
  readonly activity: ActivityCache;
  stop(): Promise<void>;
}

/**
 * Opens the cache in this process, or begins to connect to Redis; does not wait for it.
 *
 * @throws ConfigError when the file of Redis' certificates cannot be read
 */
export async function openCache(
  { redis }: Config,
  logger: Logger,
  metrics: AppMetrics,
): Promise<OpenCache> {
  const onUnanswered = () => metrics.metrics.add("tally_cache_unanswered_total");
  const cache = metrics.cache(await openConfigured(redis, logger, onUnanswered));
  return { activity: createActivityCache({ cache, logger }), stop: () => cache.stop() };
}

async function openConfigured(
  redis: Config["redis"],
  logger: Logger,
  onUnanswered: () => void,
): Promise<Cache> {
  const nowMs = () => performance.now();
  if (redis === undefined) return createMemoryCache({ nowMs });
  const { address, caFile, timeoutMs } = redis;
  const ca = caFile === undefined ? undefined : await readCertificates(caFile);
  const { random } = Math;
  return createRedisCache({ address, ca, timeoutMs, nowMs, random, logger, onUnanswered });
}

async function readCertificates(path: string): Promise<string> {
  return readFile(path, "utf8").catch(({ code }: NodeJS.ErrnoException) => {
    throw new ConfigError([`TALLY_REDIS_CA: cannot read ${path}: ${code}`]);
  });
}

/** What answers about usage are made from. */
export interface AnalyticsContext {
  readonly storage: Pick<Storage, "database">;
  readonly directory: CatalogDirectory;
  readonly priceVersions: PriceVersionSource;
  readonly cache: Pick<OpenCache, "activity">;
  /** Microseconds since 1970. */
  readonly nowUs: () => number;
}

/** Makes the Analytics service of its parts. */
export function createAnalytics(context: AnalyticsContext): ServiceImplementation {
  const { storage, directory, priceVersions, cache, nowUs } = context;
  const { database } = storage;
  const reads = createBoundedReads({ database });
  return join(
    createAnalyticsService({ store: createAnalyticsStore(database), directory, nowUs }),
    createActivityService({
      reader: createActivityReader({
        store: createActivityStore(database),
        cache: cache.activity,
        roleOf: (userId) => directory.user(userId)?.role,
        nowUs,
      }),
      cache: cache.activity,
    }),
    createRecordsService({
      affinity: createAffinityStore(reads, priceVersions),
      hits: createHitsStore(reads, priceVersions),
      timeline: createTimelineStore(reads),
      directory,
      nowUs,
    }),
  );
}

function join(
  first: ServiceImplementation<typeof Analytics>,
  ...others: readonly ServiceImplementation<typeof Analytics>[]
): ServiceImplementation<typeof Analytics> {
  const all = [first, ...others];
  return {
    service: first.service,
    handlers: Object.assign({}, ...all.map(({ handlers }) => handlers)),
    rules: Object.assign({}, ...all.map(({ rules }) => rules)),
  };
}
