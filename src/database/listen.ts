import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import type { Logger } from "pino";
import { backoffDelayMs } from "../backoff.js";
import { type ConnectionSettings, type SessionOptions, toClientConfig } from "./connection.js";

/** Options of {@link createNotificationListener}. */
export interface NotificationListenerOptions extends SessionOptions {
  readonly connection: ConnectionSettings;
  /** Channel names, as given to NOTIFY. */
  readonly channels: readonly string[];
  /** Called for each notification, in the order of their commits. */
  readonly onNotification: (channel: string, payload: string) => void;
  /**
   * Called each time that the connection is back and listens again. Notifications sent in
   * between are lost, so whoever caches by them has to read anew.
   */
  readonly onReconnect: () => void;
  readonly logger: Logger;
}

/** Listens to PostgreSQL's NOTIFY on a connection of its own, and reconnects for ever. */
export interface NotificationListener {
  /** Resolves when every channel is listened to; keeps trying until then or until `stop`. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

const RECONNECT_BACKOFF = { baseMs: 100, maxMs: 5_000 };

/** Makes a listener; nothing happens before `start`. */
export function createNotificationListener(
  options: NotificationListenerOptions,
): NotificationListener {
  const stopping = new AbortController();
  let client: pg.Client | undefined;
  let following: Promise<void> = Promise.resolve();

  /** Connects, listens on every channel, and resolves `lost` when the connection is gone. */
  async function connect(): Promise<{ lost: Promise<void> }> {
    const candidate = new pg.Client(toClientConfig(options.connection, options));
    const lost = new Promise<void>((resolve) => candidate.once("end", resolve));
    candidate.on("error", (error) => options.logger.debug({ err: error }, "listener lost"));
    candidate.on("notification", ({ channel, payload }) =>
      options.onNotification(channel, payload ?? ""),
    );
    client = candidate;
    try {
      await candidate.connect();
      for (const channel of options.channels) {
        await candidate.query(`listen ${candidate.escapeIdentifier(channel)}`);
      }
      stopping.signal.throwIfAborted();
    } catch (error) {
      await candidate.end().catch(() => undefined);
      throw error;
    }
    return { lost };
  }

  /** Tries until it listens; undefined once `stop` was called. */
  async function connectPatiently(): Promise<{ lost: Promise<void> } | undefined> {
    for (let attempt = 1; !stopping.signal.aborted; attempt += 1) {
      try {
        return await connect();
      } catch (error) {
        if (stopping.signal.aborted) break;
        options.logger.warn({ err: error, attempt }, "cannot listen for notifications");
        const waitMs = backoffDelayMs(attempt, RECONNECT_BACKOFF, Math.random());
        await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      }
    }
    return undefined;
  }

  async function follow(session: { lost: Promise<void> } | undefined): Promise<void> {
    for (let current = session; current !== undefined; ) {
      await current.lost;
      current = await connectPatiently();
      if (current !== undefined) options.onReconnect();
    }
  }

  return {
    async start() {
      const first = connectPatiently();
      following = first.then(follow);
      await first;
    },
    async stop() {
      stopping.abort();
      await client?.end().catch(() => undefined);
      await following;
    },
  };
}
