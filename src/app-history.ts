import { create } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { CatalogDocumentSchema } from "../gen/tally/v1/catalog_pb.js";
import { createCatalogApplier } from "./catalog/apply.js";
import { createCatalogChanges } from "./catalog/changes.js";
import { createCatalogDirectory } from "./catalog/directory.js";
import { fromProtoDocument } from "./catalog/document-from-proto.js";
import { createCatalogFollower } from "./catalog/follower.js";
import { createPriceImporter } from "./catalog/price-import.js";
import { createPriceVersions } from "./catalog/price-versions.js";
import type { Config } from "./config.js";
import { createRebuildStore } from "./operations/rebuild/rebuild-store.js";
import { createRollupRebuilder } from "./operations/rebuild/rebuilder.js";
import { createPriceBook } from "./pricing/price-book.js";
import { normalizeTokens } from "./pricing/tokens.js";
import { openStorage, type Storage } from "./storage.js";
import type { Caller } from "./traffic/generator.js";
import { historyCallers } from "./traffic/history/callers.js";
import { historyCatalogDocument, PROVIDER_KEYS } from "./traffic/history/history-catalog.js";
import {
  type HistoricRequest,
  type HistoryOptions,
  historicRequests,
} from "./traffic/history/requests.js";
import { TRAFFIC_PROVIDERS } from "./traffic/trace-catalog.js";
import { type BulkSubmission, type BulkTotals, loadInBulk } from "./usage/bulk/bulk-loader.js";
import { createBulkStore } from "./usage/bulk/bulk-store.js";
import { createPartitionKeeper } from "./usage/partitions.js";
import { createUsagePreparer } from "./usage/prepare.js";
import { createUsageStore } from "./usage/usage-store.js";

/** Which history to make. */
export interface HistoryRequest extends Omit<HistoryOptions, "callers"> {
  readonly users: number;
  /** Whether the database may hold records, and be in use. */
  readonly isForced: boolean;
}

/** How far it has come. */
export interface HistoryProgress {
  readonly phase: "catalog" | "records" | "rollups" | "vacuum";
  /** Records on disk, or days with rollups. */
  readonly done: number;
  readonly total: number;
}

/** The database is none to fill with made-up records, unless told so. */
export class DatabaseOccupiedError extends Error {
  override readonly name = "DatabaseOccupiedError";
}

/** What a history is made with. */
export interface HistoryParts {
  readonly logger: Logger;
  readonly onProgress: (progress: HistoryProgress) => void;
  /** Ends the work after its step that is under way. */
  readonly signal: AbortSignal;
}

/**
 * Fills a database with a history of usage, with its catalog, budgets and rollups, as if it had been
 * recorded over the time.
 *
 * @returns what was written
 * @throws DatabaseOccupiedError for a database that has records or is served, unless forced; the
 * signal's reason; as `openStorage`
 */
export async function generateHistory(
  config: Config,
  request: HistoryRequest,
  parts: HistoryParts,
): Promise<BulkTotals> {
  const storage = await openStorage(config, parts.logger);
  try {
    return await fill(storage, request, parts);
  } finally {
    await storage.stop();
  }
}

async function fill(
  storage: Storage,
  { users, isForced, ...span }: HistoryRequest,
  { logger, onProgress, signal }: HistoryParts,
): Promise<BulkTotals> {
  const { database } = storage;
  const store = createBulkStore(database);
  if (!isForced) refuseOccupied(await store.readOccupancy());
  onProgress({ phase: "catalog", done: 0, total: users });
  const callers = historyCallers(users, span.seed);
  const catalog = await openCatalog(storage, callers, logger);
  try {
    const partitions = createPartitionKeeper(createUsageStore(database));
    const preparer = createUsagePreparer({
      directory: catalog.directory,
      pricing: catalog.priceBook,
      onUnpriced() {},
    });
    const totals = await loadInBulk(
      submissionsOf(historicRequests({ ...span, callers })),
      { store, partitions, preparer },
      {
        signal,
        onProgress: ({ records }) =>
          onProgress({ phase: "records", done: records, total: span.requests }),
      },
    );
    const rebuilder = createRollupRebuilder(createRebuildStore(database));
    for await (const { days, totalDays } of rebuilder.rebuild(signal)) {
      onProgress({ phase: "rollups", done: days, total: totalDays });
    }
    onProgress({ phase: "vacuum", done: 0, total: 1 });
    await store.vacuum();
    return totals;
  } finally {
    await catalog.stop();
  }
}

function refuseOccupied({ hasRecords, servers }: { hasRecords: boolean; servers: number }): void {
  const insist = "--force does it all the same";
  if (hasRecords) throw new DatabaseOccupiedError(`the database has records already; ${insist}`);
  if (servers > 0) throw new DatabaseOccupiedError(`a server has the database open; ${insist}`);
}

/** The catalog in memory, with the prices and entries that the callers need. */
async function openCatalog(
  { database, connection }: Storage,
  callers: readonly Caller[],
  logger: Logger,
) {
  const directory = createCatalogDirectory();
  const priceBook = createPriceBook();
  const priceVersions = createPriceVersions({ database, logger });
  const following = { database, connection, directory, priceBook, priceVersions, logger };
  const follower = createCatalogFollower(following);
  const changes = createCatalogChanges({ database, refresh: follower.refresh });
  try {
    await follower.start();
    const origin = { actor: "tally generate", method: "ImportPrices", requestId: "" };
    const importer = createPriceImporter({ database, changes, logger });
    await importer.importPrices({ origin, providerIds: TRAFFIC_PROVIDERS });
    const document = create(CatalogDocumentSchema, historyCatalogDocument(callers));
    const applier = createCatalogApplier({ database, changes, logger });
    await applier.apply(fromProtoDocument(document), {
      origin: { ...origin, method: "ApplyCatalog" },
    });
  } catch (error) {
    await follower.stop();
    throw error;
  }
  return { directory, priceBook, stop: () => follower.stop() };
}

function* submissionsOf(requests: Iterable<HistoricRequest>): Generator<BulkSubmission> {
  for (const request of requests) yield toSubmission(request);
}

function toSubmission(request: HistoricRequest): BulkSubmission {
  const { createTimeMs, responseTimeMs, statusCode, provider, inputTokens, outputTokens } = request;
  const { cacheCreationInputTokens, cacheReadInputTokens } = request;
  const submission = {
    requestId: request.requestId,
    userId: request.userId,
    apiKeyId: request.apiKeyId,
    provider,
    model: request.model,
    targetModel: "",
    requestType: "chat",
    apiFormat: request.apiFormat,
    isStream: request.isStream,
    status: statusCode < 400 ? ("COMPLETED" as const) : ("FAILED" as const),
    statusCode,
    errorMessage: request.errorMessage,
    providerId: "",
    providerEndpointId: "",
    providerApiKeyId: PROVIDER_KEYS[provider]?.id ?? "",
    tokens: normalizeTokens({
      inputTokens,
      outputTokens,
      cacheCreationInputTokens,
      cacheReadInputTokens,
      tokenConvention: "CACHE_EXCLUSIVE",
    }),
    tokenConvention: "CACHE_EXCLUSIVE" as const,
    cacheTtlMinutes: undefined,
    useTieredPricing: true,
    responseTimeMs,
    firstByteTimeMs: request.firstByteTimeMs,
    createTimeUs: createTimeMs * 1_000,
    isCreateTimeGiven: true,
    excludeFromBudgets: false,
    operationId: "",
    attemptNumber: undefined,
    isRetried: false,
    tags: request.tags,
    metadata: undefined,
    payload: undefined,
  };
  return { submission, finishTimeUs: (createTimeMs + responseTimeMs) * 1_000 };
}
