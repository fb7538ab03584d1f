import type { Database } from "../../src/database/database.js";
import { eventually } from "../support/eventually.js";

/** Keeps every writer of records waiting in the database, until it is let go. */
export interface HeldTable {
  /** Waits until so many sessions wait for it, and returns their process ids. */
  waiters(count: number): Promise<number[]>;
  letGo(): Promise<void>;
}

/** Locks the idempotency keys against writers. */
export async function holdUsageKeys({ knex }: Database): Promise<HeldTable> {
  const trx = await knex.transaction();
  await trx.raw("lock table usage_keys in exclusive mode");
  return {
    waiters: (count) =>
      eventually(`${count} sessions wait`, async () => {
        const { rows } = await knex.raw(`
          select l.pid from pg_locks l
          join pg_database d on d.oid = l.database and d.datname = current_database()
          where l.relation = 'usage_keys'::regclass and not l.granted`);
        return rows.length >= count && (rows as { pid: number }[]).map(({ pid }) => pid);
      }),
    async letGo() {
      await trx.rollback();
    },
  };
}
