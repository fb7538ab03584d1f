import { setTimeout as delay } from "node:timers/promises";
import pg from "pg";
import { type ConnectionFields, toClientConfig } from "../connection.js";
import { isUnavailable } from "../errors.js";
import { SUPERUSER } from "./cluster-init.js";
import { SOCKET_PORT } from "./server-settings.js";
import type { SocketDirectory } from "./socket-directory.js";

/** Exists in every cluster. */
const MAINTENANCE_DATABASE = "postgres";
const POLL_MS = 15;

/** A server that may not accept connections yet, or never. */
export interface StartingServer {
  readonly socket: SocketDirectory;
  /** Resolves when its process is gone. */
  readonly exited: Promise<unknown>;
}

/** How to connect to the embedded server. */
export function connectionTo(socket: SocketDirectory, database: string): ConnectionFields {
  return { host: socket.host, port: SOCKET_PORT, user: SUPERUSER, database, ssl: false };
}

/**
 * Tries to connect until the server accepts, is gone, or `deadlineMs` (epoch) has passed.
 * Only a connection shows that recovery is over.
 *
 * @throws the signal's reason; an error of the server that waiting would not cure.
 */
export async function waitUntilReady(
  { socket, exited }: StartingServer,
  { deadlineMs, signal }: { readonly deadlineMs: number; readonly signal: AbortSignal },
): Promise<"ready" | "exited" | "timeout"> {
  let gone = false;
  exited.then(() => {
    gone = true;
  });
  while (!gone) {
    signal.throwIfAborted();
    try {
      await withClient(connectionTo(socket, MAINTENANCE_DATABASE), async () => undefined);
      return "ready";
    } catch (error) {
      if (!isUnavailable(error)) throw error;
    }
    if (Date.now() > deadlineMs) return "timeout";
    await delay(POLL_MS);
  }
  return "exited";
}

/** Makes a database if there is none of this name. Call it under the lock. */
export async function ensureDatabase(socket: SocketDirectory, name: string): Promise<void> {
  await withClient(connectionTo(socket, MAINTENANCE_DATABASE), async (client) => {
    const found = await client.query("select from pg_database where datname = $1", [name]);
    if (found.rowCount === 0) await client.query(`create database ${pg.escapeIdentifier(name)}`);
  });
}

async function withClient<T>(
  connection: ConnectionFields,
  work: (client: pg.Client) => Promise<T>,
): Promise<T> {
  const client = new pg.Client(toClientConfig(connection));
  // Without a listener a connection that breaks would end the process.
  client.on("error", () => undefined);
  try {
    await client.connect();
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}
