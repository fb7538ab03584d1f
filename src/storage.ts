import type { Logger } from "pino";
import type { Config } from "./config.js";
import type { ConnectionSettings } from "./database/connection.js";
import { createDatabase, type Database } from "./database/database.js";
import { createEmbeddedPostgres } from "./database/embedded/embedded-postgres.js";
import { migrate } from "./database/migrate.js";

/** PostgreSQL as this process uses it: a server that was named, or one of our own. */
export interface Storage {
  readonly connection: ConnectionSettings;
  readonly database: Database;
  /** Whether the server is our own. */
  readonly isEmbedded: boolean;
  /** Names of the migrations that were run to bring the schema up to date. */
  readonly migrated: readonly string[];
  /** Closes every connection and stops the server, if it is our own. */
  stop(): Promise<void>;
}

/**
 * Starts or reaches PostgreSQL and brings the schema up to date.
 *
 * @throws EmbeddedPostgresError, or the database's error; nothing is left running then.
 */
export async function openStorage(
  config: Pick<Config, "database">,
  logger: Logger,
): Promise<Storage> {
  const { url, dataDir, pgBin, poolSize } = config.database;
  const embedded =
    url === undefined ? createEmbeddedPostgres({ dataDir, binDir: pgBin, logger }) : undefined;
  try {
    const connection = embedded ? (await embedded.start()).connection : url!;
    const database = createDatabase({ connection, poolMax: poolSize, logger });
    try {
      const { applied } = await migrate(database);
      return {
        connection,
        database,
        isEmbedded: embedded !== undefined,
        migrated: applied,
        async stop() {
          await database.destroy();
          await embedded?.stop();
        },
      };
    } catch (error) {
      await database.destroy();
      throw error;
    }
  } catch (error) {
    await embedded?.stop();
    throw error;
  }
}
