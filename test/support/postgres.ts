import { randomBytes } from "node:crypto";
import { type Logger, pino } from "pino";
import { type ConnectionSettings, withDatabase } from "../../src/database/connection.js";
import { createDatabase, type Database } from "../../src/database/database.js";
import {
  createEmbeddedPostgres,
  type EmbeddedPostgres,
} from "../../src/database/embedded/embedded-postgres.js";
import { migrate } from "../../src/database/migrate.js";
import { createTemporaryDirectory, type TemporaryDirectory } from "./temporary-directory.js";

/** A database of its own, with Tally's schema and no rows, on the server of this process. */
export interface TestDatabase {
  readonly connection: ConnectionSettings;
  /** A pool on it; closed by `drop`. */
  readonly database: Database;
  drop(): Promise<void>;
}

interface TestServer {
  readonly directory: TemporaryDirectory;
  readonly postgres: EmbeddedPostgres;
  /** A pool on a database that is never cloned, to make and drop others. */
  readonly administration: Database;
  readonly connection: ConnectionSettings;
}

const TEMPLATE = "tally_template";

/** Says nothing; tests look at what happens, not at what is logged. */
export const silentLogger: Logger = pino({ level: "silent" });

let server: Promise<TestServer> | undefined;

/** One server for all tests of this process, started by the first that needs it. */
async function startServer(): Promise<TestServer> {
  const directory = await createTemporaryDirectory();
  const postgres = createEmbeddedPostgres({
    dataDir: directory.path,
    durable: false,
    logger: silentLogger,
  });
  const { connection } = await postgres.start();
  const administration = createDatabase({ connection, poolMax: 2, logger: silentLogger });
  await administration.knex.raw("create database ??", [TEMPLATE]);
  const template = createDatabase({
    connection: withDatabase(connection, TEMPLATE),
    logger: silentLogger,
  });
  await migrate(template);
  // PostgreSQL clones no database that somebody is connected to.
  await template.destroy();
  return { directory, postgres, administration, connection };
}

/**
 * Clones the migrated template, so that no test sees the rows of another.
 *
 * @param options - for the pool; the logger is silent.
 */
export async function createTestDatabase(
  options: { readonly poolMax?: number; readonly statementTimeoutMs?: number } = {},
): Promise<TestDatabase> {
  server ??= startServer();
  const { administration, connection: serverConnection } = await server;
  const name = `tally_test_${randomBytes(6).toString("hex")}`;
  await administration.knex.raw("create database ?? template ??", [name, TEMPLATE]);
  const connection = withDatabase(serverConnection, name);
  const database = createDatabase({ connection, logger: silentLogger, ...options });
  return {
    connection,
    database,
    async drop() {
      await database.destroy();
      await administration.knex.raw("drop database ?? with (force)", [name]);
    },
  };
}

/** Stops the server if one was started. */
export async function stopTestServer(): Promise<void> {
  if (server === undefined) return;
  const { administration, postgres, directory } = await server;
  server = undefined;
  await administration.destroy();
  await postgres.stop();
  await directory.remove();
}
