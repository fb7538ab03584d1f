import type { Knex } from "knex";
import type { Database } from "./database.js";

/** A connection that holds an advisory lock: statements that run on it stop when the lock is lost. */
export interface LockedConnection {
  /** Runs one statement, a transaction of its own. */
  query<Row>(sql: string, bindings?: readonly Knex.RawBinding[]): Promise<Row[]>;
  /** Gives the lock and the connection back. Never throws. */
  release(): Promise<void>;
}

/**
 * Takes an advisory lock of the database, for work that one process does at a time. PostgreSQL
 * drops the lock with its connection, and all of the work runs on that connection: so two never
 * work at once, whatever dies. And one connection is all that the work takes of the pool.
 *
 * @param name - any text; locks with different names may be held at once.
 * @returns undefined when somebody else holds the lock
 */
export async function tryAdvisoryLock(
  { knex }: Pick<Database, "knex">,
  name: string,
): Promise<LockedConnection | undefined> {
  const connection = await knex.client.acquireConnection();
  const query = async <Row>(sql: string, bindings: readonly Knex.RawBinding[] = []) => {
    const { rows } = await knex.raw(sql, bindings as Knex.RawBinding[]).connection(connection);
    return rows as Row[];
  };
  async function release(): Promise<void> {
    await query("select pg_advisory_unlock(hashtext(?))", [name]).catch(() => undefined);
    await knex.client.releaseConnection(connection);
  }
  try {
    const [row] = await query<{ locked: boolean }>(
      "select pg_try_advisory_lock(hashtext(?)) as locked",
      [name],
    );
    if (row?.locked) return { query, release };
  } catch (error) {
    await knex.client.releaseConnection(connection);
    throw error;
  }
  await knex.client.releaseConnection(connection);
  return undefined;
}
