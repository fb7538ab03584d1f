import type { Logger } from "pino";
import type { ConnectionSettings } from "../database/connection.js";
import { isRetryable, isUnavailable } from "../database/errors.js";
import { createNotificationListener } from "../database/listen.js";
import { withRetry } from "../database/retry.js";
import type { AlertFilter, AlertNews, AlertStart, BudgetAlert } from "./alert.js";
import type { AlertStore } from "./alert-store.js";

/** Options of {@link createAlertFeed}. */
export interface AlertFeedOptions {
  readonly store: AlertStore;
  /** For the connection that listens; it is one beside the pool. */
  readonly connection: ConnectionSettings;
  readonly logger: Logger;
}

/** Tells of alerts, whichever replica fired them. */
export interface AlertFeed {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** A page of alerts, newest first, with all that were committed before the call. */
  list(
    filter: AlertFilter,
    page: { readonly beforeId: bigint | undefined; readonly limit: number },
  ): Promise<BudgetAlert[]>;
  /**
   * First where the watch starts, then each alert once, by rising id, as they are committed.
   * Nothing is kept for a slow reader: it reads the next alerts when it asks for them.
   *
   * @param signal - ends the watch
   * @throws the signal's reason; when the database is away
   */
  watch(filter: AlertFilter, start: AlertStart, signal: AbortSignal): AsyncGenerator<AlertNews>;
}

const CHANNEL = "tally_budget_alerts";
const RETRY_BACKOFF = { baseMs: 50, maxMs: 2_000 };

/** Alerts that a watch reads at a time. */
const READ_LIMIT = 100;

/** Makes a feed; nothing happens before `start`. */
export function createAlertFeed({ store, connection, logger }: AlertFeedOptions): AlertFeed {
  const stopping = new AbortController();
  const waiting = new Set<() => void>();
  /** The highest id that is known to be there. */
  let lastId = 0n;
  let publishing: Promise<void> | undefined;
  let isWanted = false;

  const listener = createNotificationListener({
    connection,
    channels: [CHANNEL],
    applicationName: "tally alerts",
    onNotification: publishSoon,
    onReconnect: publishSoon,
    logger,
  });

  function publishSoon(): void {
    isWanted = true;
    publishing ??= publishWanted().finally(() => {
      publishing = undefined;
    });
  }

  async function publishWanted(): Promise<void> {
    while (isWanted && !stopping.signal.aborted) {
      isWanted = false;
      await withRetry(publish, {
        ...RETRY_BACKOFF,
        maxAttempts: Number.POSITIVE_INFINITY,
        retryOn: (error) => isUnavailable(error) || isRetryable(error),
        signal: stopping.signal,
      }).catch((error) => {
        if (!stopping.signal.aborted) logger.error({ err: error }, "cannot publish alerts");
      });
    }
  }

  async function publish(): Promise<bigint> {
    const id = await store.publish();
    if (id > lastId) {
      lastId = id;
      for (const wake of waiting) wake();
    }
    return id;
  }

  function newsAfter(id: bigint, signal: AbortSignal): Promise<void> {
    if (lastId > id || signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        waiting.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      waiting.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  async function startAfter(start: AlertStart): Promise<bigint> {
    const last = await publish();
    if ("afterId" in start) return start.afterId;
    const first = "atMs" in start ? await store.firstSince(start.atMs) : undefined;
    return first === undefined ? last : first - 1n;
  }

  return {
    start: () => listener.start(),
    async stop() {
      stopping.abort();
      await listener.stop();
      await publishing;
    },
    async list(filter, page) {
      await publish();
      return store.readBefore(filter, page);
    },
    async *watch(filter, start, signal) {
      let told = await startAfter(start);
      yield { alert: undefined, lastAlertId: told };
      while (!signal.aborted) {
        const known = lastId;
        const alerts = await store.readAfter(filter, { afterId: told, limit: READ_LIMIT });
        for (const alert of alerts) {
          yield { alert, lastAlertId: alert.alertId };
          told = alert.alertId;
        }
        if (alerts.length === READ_LIMIT) continue;
        // What the filter holds back need not be read again.
        if (known > told) told = known;
        await newsAfter(told, signal);
      }
      signal.throwIfAborted();
    },
  };
}
