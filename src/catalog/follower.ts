import type { Logger } from "pino";
import type { ConnectionSettings } from "../database/connection.js";
import type { Database } from "../database/database.js";
import { isRetryable, isUnavailable } from "../database/errors.js";
import { createNotificationListener } from "../database/listen.js";
import { withRetry } from "../database/retry.js";
import { type CatalogPublisherOptions, createCatalogPublisher } from "./catalog-publisher.js";
import { ALL_ROWS, type CatalogRows, mergeRows, parseNotification } from "./catalog-rows.js";
import type { UnreadableRow } from "./catalog-table.js";
import { readSnapshot } from "./snapshot-store.js";

/** Options of {@link createCatalogFollower}. */
export interface CatalogFollowerOptions extends CatalogPublisherOptions {
  readonly database: Pick<Database, "transaction">;
  /** For the connection that listens; it is one beside the pool. */
  readonly connection: ConnectionSettings;
  readonly logger: Logger;
}

/** Keeps the directory and the price book as the database is, whoever changes it. */
export interface CatalogFollower {
  /**
   * Reads the whole catalog and follows its changes from then on. Waits for the database as long
   * as it is away.
   *
   * @throws CatalogUnreadableError when a row cannot be read: to go on would price at 0 what
   * has a price
   */
  start(): Promise<void>;
  /**
   * Reads entries again; resolves when memory shows them as they were committed before the call,
   * or later. Rejects when the follower stops first.
   */
  refresh(rows: CatalogRows): Promise<void>;
  stop(): Promise<void>;
}

/** Rows that only a change by hand can have made. */
export class CatalogUnreadableError extends Error {
  override readonly name = "CatalogUnreadableError";

  constructor(rows: readonly UnreadableRow[]) {
    const [first] = rows;
    const more = rows.length > 1 ? ` (and ${rows.length - 1} more rows)` : "";
    const cause = first?.cause instanceof Error ? first.cause.message : String(first?.cause);
    super(`table ${first?.table}, ${first?.id}: ${cause}${more}`, { cause: first?.cause });
  }
}

const CHANNEL = "tally_catalog";
const RETRY_BACKOFF = { baseMs: 50, maxMs: 2_000 };

/** Makes a follower; nothing happens before `start`. */
export function createCatalogFollower(options: CatalogFollowerOptions): CatalogFollower {
  const { database, connection, logger } = options;
  const publisher = createCatalogPublisher(options);
  const stopping = new AbortController();
  let wanted: CatalogRows = new Map();
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<UnreadableRow[]> | undefined;

  const listener = createNotificationListener({
    connection,
    channels: [CHANNEL],
    applicationName: "tally catalog",
    onNotification: (_channel, payload) => {
      const rows = parseNotification(payload);
      if (rows !== undefined) follow(rows);
      else logger.warn({ payload }, "unknown catalog notification");
    },
    onReconnect: () => follow(ALL_ROWS),
    logger,
  });

  /**
   * Reads one after the other, so that an older read never comes after a newer one; whatever is
   * wanted while one runs is read together by the next.
   */
  function read(rows: CatalogRows): Promise<UnreadableRow[]> {
    wanted = mergeRows(wanted, rows);
    if (next === undefined) {
      next = running.then(readWanted);
      running = next.catch(() => undefined);
    }
    return next;
  }

  async function readWanted(): Promise<UnreadableRow[]> {
    const rows = wanted;
    wanted = new Map();
    next = undefined;
    const snapshot = await withRetry(
      () =>
        database.transaction((trx) => readSnapshot(trx, rows), {
          isolationLevel: "repeatable read",
          readOnly: true,
        }),
      {
        ...RETRY_BACKOFF,
        maxAttempts: Number.POSITIVE_INFINITY,
        retryOn: (error) => isUnavailable(error) || isRetryable(error),
        signal: stopping.signal,
        onRetry: (error, attempt) =>
          logger.warn({ err: error, attempt }, "cannot read the catalog"),
      },
    );
    return publisher.publish(snapshot);
  }

  async function refresh(rows: CatalogRows): Promise<void> {
    for (const { table, id, cause } of await read(rows)) {
      logger.error(
        { table, id, err: cause },
        "catalog row cannot be read; its entry stays as it was",
      );
    }
  }

  function follow(rows: CatalogRows): void {
    refresh(rows).catch((error) => {
      if (!stopping.signal.aborted) logger.error({ err: error }, "cannot follow the catalog");
    });
  }

  return {
    async start() {
      // Listening comes before reading: a change between the two would be missed otherwise.
      await listener.start();
      const unreadable = await read(ALL_ROWS);
      if (unreadable.length === 0) return;
      await listener.stop();
      throw new CatalogUnreadableError(unreadable);
    },
    refresh,
    async stop() {
      stopping.abort();
      await listener.stop();
      await running;
    },
  };
}
