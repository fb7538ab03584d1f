import type { Knex } from "knex";
import type { Database } from "./database.js";
import { migrationSource } from "./migrations/index.js";

/** Any number that nothing else locks: 'tally' in ASCII. */
const MIGRATION_LOCK = 0x74616c6c79;

/** What {@link migrate} did. */
export interface MigrationResult {
  /** Names of the migrations that this call ran, in order. */
  readonly applied: readonly string[];
}

/**
 * Brings the schema up to date. Safe when several replicas start at once: they queue on an
 * advisory lock, which PostgreSQL drops with the connection. Knex's own lock is a row, which a
 * killed process would leave behind for ever; holding ours, that row can only be such a leftover.
 *
 * @throws when a migration fails (it is rolled back), or the database is newer than this program.
 */
export async function migrate(database: Pick<Database, "knex">): Promise<MigrationResult> {
  const { knex } = database;
  const connection = await knex.client.acquireConnection();
  try {
    await knex.raw("select pg_advisory_lock(?)", [MIGRATION_LOCK]).connection(connection);
    return await runMigrations(knex);
  } finally {
    await knex
      .raw("select pg_advisory_unlock(?)", [MIGRATION_LOCK])
      .connection(connection)
      .catch(() => undefined);
    await knex.client.releaseConnection(connection);
  }
}

async function runMigrations(knex: Knex): Promise<MigrationResult> {
  const config: Knex.MigratorConfig = { migrationSource, tableName: "tally_migrations" };
  await knex.migrate.forceFreeMigrationsLock(config);
  const [, applied] = await knex.migrate.latest(config);
  return { applied };
}
