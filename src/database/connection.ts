import type { ClientConfig } from "pg";

/**
 * Where a PostgreSQL server is: a `postgres://` URL, or the fields of one. Both forms are
 * what `pg` takes; the embedded server gives the second.
 */
export type ConnectionSettings = string | ConnectionFields;

/** The fields of a connection, for a server that is not named by a URL. */
export interface ConnectionFields {
  /** Host name, address, or the absolute path of the directory that holds the unix socket. */
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password?: string;
  /** `false` for the embedded server, so that PGSSLMODE of the environment cannot break it. */
  readonly ssl?: boolean;
}

/** What every connection of this process has in common. */
export interface SessionOptions {
  /** Shown in pg_stat_activity, at most 63 bytes. */
  readonly applicationName?: string;
  /** How long to wait for the server to accept a connection, in milliseconds. Default 5000. */
  readonly connectTimeoutMs?: number;
  /** The server ends a statement that runs longer, in milliseconds. Default 0: no limit. */
  readonly statementTimeoutMs?: number;
  /** The server ends a session idle in a transaction for longer, in ms. Default 0: no limit. */
  readonly idleInTransactionTimeoutMs?: number;
}

const DEFAULT_CONNECT_TIMEOUT_MS = 5_000;

/** Idle seconds before TCP keepalive probes find a peer that vanished without a word. */
const KEEP_ALIVE_DELAY_MS = 10_000;

/** The configuration that `pg` takes for one connection, without type parsers. */
export function toClientConfig(
  connection: ConnectionSettings,
  session: SessionOptions = {},
): ClientConfig {
  return {
    ...(typeof connection === "string" ? { connectionString: connection } : connection),
    application_name: session.applicationName ?? "tally",
    connectionTimeoutMillis: session.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
    statement_timeout: session.statementTimeoutMs ?? 0,
    idle_in_transaction_session_timeout: session.idleInTransactionTimeoutMs ?? 0,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
  };
}

/** The same server and user, another database on it. */
export function withDatabase(connection: ConnectionSettings, database: string): ConnectionSettings {
  if (typeof connection !== "string") return { ...connection, database };
  const url = new URL(connection);
  url.pathname = `/${encodeURIComponent(database)}`;
  return url.toString();
}
