import type { Logger } from "pino";
import type { ConnectionSettings } from "../database/connection.js";
import type { Database } from "../database/database.js";
import { isRetryable, isUnavailable } from "../database/errors.js";
import { createNotificationListener } from "../database/listen.js";
import { withRetry } from "../database/retry.js";
import type { CredentialBook } from "./credential-book.js";
import { readCredentials } from "./credential-store.js";

/** Options of {@link createIdentityFollower}. */
export interface IdentityFollowerOptions {
  readonly database: Pick<Database, "transaction">;
  /** For the connection that listens; it is one beside the pool. */
  readonly connection: ConnectionSettings;
  readonly book: Pick<CredentialBook, "publish">;
  readonly logger: Logger;
}

/** Keeps a book as the database is, whoever changes it. */
export interface IdentityFollower {
  /** Reads all credentials and follows their changes. Waits for the database if it is away. */
  start(): Promise<void>;
  /** Reads again; resolves when the book shows all that was committed before the call. */
  refresh(): Promise<void>;
  stop(): Promise<void>;
}

const CHANNEL = "tally_identity";
const RETRY_BACKOFF = { baseMs: 50, maxMs: 2_000 };

/** Makes a follower; nothing happens before `start`. */
export function createIdentityFollower(options: IdentityFollowerOptions): IdentityFollower {
  const { database, connection, book, logger } = options;
  const stopping = new AbortController();
  let running: Promise<unknown> = Promise.resolve();
  let next: Promise<void> | undefined;

  const listener = createNotificationListener({
    connection,
    channels: [CHANNEL],
    applicationName: "tally identity",
    onNotification: follow,
    onReconnect: follow,
    logger,
  });

  /** One after the other, so that an older read is never published after a newer one. */
  function refresh(): Promise<void> {
    if (next === undefined) {
      next = running.then(read);
      running = next.catch(() => undefined);
    }
    return next;
  }

  async function read(): Promise<void> {
    next = undefined;
    const credentials = await withRetry(
      () =>
        database.transaction(readCredentials, {
          isolationLevel: "repeatable read",
          readOnly: true,
        }),
      {
        ...RETRY_BACKOFF,
        maxAttempts: Number.POSITIVE_INFINITY,
        retryOn: (error) => isUnavailable(error) || isRetryable(error),
        signal: stopping.signal,
        onRetry: (error, attempt) =>
          logger.warn({ err: error, attempt }, "cannot read who may call"),
      },
    );
    book.publish(credentials);
  }

  function follow(): void {
    refresh().catch((error) => {
      if (!stopping.signal.aborted) logger.error({ err: error }, "cannot follow who may call");
    });
  }

  return {
    async start() {
      // Listening comes before reading: a change between the two would be missed otherwise.
      await listener.start();
      await refresh();
    },
    refresh,
    async stop() {
      stopping.abort();
      await listener.stop();
      await running;
    },
  };
}
