import knexFactory, { type Knex } from "knex";
import type { Logger } from "pino";
import { type ConnectionSettings, type SessionOptions, toClientConfig } from "./connection.js";
import { DatabaseUnavailableError, isUnavailable } from "./errors.js";
import { type RetryOptions, withRetry } from "./retry.js";
import { typeParsers } from "./types.js";

/** Options of {@link createDatabase}. */
export interface DatabaseOptions extends SessionOptions {
  readonly connection: ConnectionSettings;
  /** Most connections that this process holds at once. Default 10. */
  readonly poolMax?: number;
  /** How long a query waits for a free connection, in milliseconds. Default 10000. */
  readonly acquireTimeoutMs?: number;
  readonly logger: Logger;
}

/** Options of one transaction. */
export interface TransactionOptions extends RetryOptions {
  readonly isolationLevel?: Knex.IsolationLevels;
  readonly readOnly?: boolean;
}

/** What runs the statements of one transaction; rooms hand it on to their stores. */
export type Transaction = Knex.Transaction;

/** How many connections there are, and how many queries wait for one. */
export interface PoolUsage {
  readonly used: number;
  readonly idle: number;
  readonly limit: number;
  readonly waiting: number;
}

/** A pool of connections to one PostgreSQL database. */
export interface Database {
  /** Builds and runs statements outside of transactions. */
  readonly knex: Knex;
  /**
   * Runs `work` in a transaction and commits it. On a deadlock or serialization failure all
   * of it runs again (see {@link withRetry}), so `work` must change nothing but the database.
   *
   * @throws DatabaseUnavailableError when the database is away, with pg's error as its cause;
   *   when that happens during the commit, it may or may not have taken effect.
   */
  transaction<T>(work: (trx: Transaction) => Promise<T>, options?: TransactionOptions): Promise<T>;
  /**
   * One round trip, for readiness checks.
   * @throws DatabaseUnavailableError
   */
  ping(): Promise<void>;
  /** How the pool stands. */
  poolUsage(): PoolUsage;
  /** Waits for running queries, then closes every connection. */
  destroy(): Promise<void>;
}

const DEFAULT_POOL_MAX = 10;
const DEFAULT_ACQUIRE_TIMEOUT_MS = 10_000;
const IDLE_TIMEOUT_MS = 30_000;

/**
 * Opens a pool; no connection is made before the first query. A connection that drops while
 * it is idle is replaced at its next use and never ends the process.
 */
export function createDatabase(options: DatabaseOptions): Database {
  const knex = createKnex(options);
  return {
    knex,
    transaction: (work, transactionOptions = {}) =>
      withRetry(() => runTransaction(knex, work, transactionOptions), {
        onRetry: (error, attempt) =>
          options.logger.debug({ err: error, attempt }, "transaction is tried again"),
        ...transactionOptions,
      }),
    async ping() {
      await translateUnavailable(async () => knex.raw("select 1"));
    },
    poolUsage: () => usageOf(knex, options.poolMax ?? DEFAULT_POOL_MAX),
    destroy: () => knex.destroy(),
  };
}

/** Knex has no public way to its pool, which is one of tarn. */
function usageOf({ client }: Knex, limit: number): PoolUsage {
  const { pool } = client as { readonly pool?: Partial<Record<string, () => number>> };
  return {
    used: pool?.numUsed?.() ?? 0,
    idle: pool?.numFree?.() ?? 0,
    limit,
    waiting: pool?.numPendingAcquires?.() ?? 0,
  };
}

function createKnex({ logger, ...options }: DatabaseOptions): Knex {
  return knexFactory({
    client: "pg",
    connection: {
      ...toClientConfig(options.connection, options),
      types: typeParsers,
    } as Knex.PgConnectionConfig,
    // Spares a `select version()` for each new connection; 15 is the oldest that Tally takes.
    version: "15",
    // Errors are logged: with values in their statements, they would carry what requests held.
    compileSqlOnError: false,
    pool: {
      min: 0,
      max: options.poolMax ?? DEFAULT_POOL_MAX,
      acquireTimeoutMillis: options.acquireTimeoutMs ?? DEFAULT_ACQUIRE_TIMEOUT_MS,
      idleTimeoutMillis: IDLE_TIMEOUT_MS,
    },
    log: {
      debug: (message) => logger.debug(message),
      // One for each query that finds the database away; the query's own error says it too.
      warn: (message) => logger.debug(message),
      error: (message) => logger.error(message),
      deprecate: (method, alternative) => logger.debug({ method, alternative }, "deprecated"),
    },
  });
}

function runTransaction<T>(
  knex: Knex,
  work: (trx: Transaction) => Promise<T>,
  { isolationLevel, readOnly }: TransactionOptions,
): Promise<T> {
  return translateUnavailable(() =>
    knex.transaction(work, {
      ...(isolationLevel === undefined ? {} : { isolationLevel }),
      ...(readOnly === undefined ? {} : { readOnly }),
    }),
  );
}

async function translateUnavailable<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isUnavailable(error) || error instanceof DatabaseUnavailableError) throw error;
    throw new DatabaseUnavailableError("the database is not available", { cause: error });
  }
}
