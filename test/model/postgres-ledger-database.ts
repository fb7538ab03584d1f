import { createDatabase, type Database } from "../../src/database/database.js";
import { fromLeaseJson } from "../../src/quota/ledger-json.js";
import { createLedgerStore } from "../../src/quota/ledger-store.js";
import { createTestDatabase, silentLogger } from "../support/postgres.js";
import { BUDGET_ID, type LedgerDatabase } from "./ledger-database.js";

/** Real PostgreSQL, whose clock the test moves. */
export interface PostgresLedger {
  /** Empties it, for one run. */
  open(limit: bigint): Promise<LedgerDatabase>;
  close(): Promise<void>;
}

const START_MS = 1_700_000_000_000;

/**
 * The functions of the ledger find `clock_timestamp` by the search path, on which this database has
 * one of its own before PostgreSQL's.
 */
export async function createPostgresLedger(): Promise<PostgresLedger> {
  const test = await createTestDatabase();
  await test.database.knex.raw(`
    create schema moved;
    create table moved.clock (now timestamptz not null);
    insert into moved.clock values (to_timestamp(0));
    create function moved.clock_timestamp() returns timestamptz language sql volatile
      as 'select now from moved.clock';
    do $$ begin
      execute format('alter database %I set search_path = moved, public, pg_catalog',
        current_database());
    end $$;
  `);
  const database = createDatabase({ connection: test.connection, logger: silentLogger });
  return {
    open: (limit) => open(database, limit),
    async close() {
      await database.destroy();
      await test.drop();
    },
  };
}

async function open({ knex, ...database }: Database, firstLimit: bigint): Promise<LedgerDatabase> {
  let nowMs = START_MS;
  const setClock = () =>
    knex.raw("update moved.clock set now = to_timestamp(?::numeric / 1000)", [nowMs]);
  const setLimit = (limit: bigint) =>
    knex("budgets").where({ budget_id: BUDGET_ID }).update({ limit_amount: limit.toString() });
  await knex.raw("truncate budget_periods, budget_leases, reservation_outcomes");
  await knex("budgets")
    .insert({
      budget_id: BUDGET_ID,
      scope: "GLOBAL",
      subject: "",
      measure: "COST",
      limit_amount: firstLimit.toString(),
      window_kind: "DAY",
      window_time_zone: "UTC",
    })
    .onConflict("budget_id")
    .merge(["limit_amount"]);
  await setClock();
  return {
    storeOf: (replicaId) => createLedgerStore({ knex, ...database }, replicaId),
    async settle({ uid, expireTimeMs, holds }, spends) {
      const charges = holds.map(({ periodStartMs }, index) => ({
        budget_id: BUDGET_ID,
        period_start: new Date(periodStartMs).toISOString(),
        amount: spends[index]!.toString(),
      }));
      const ended = holds.map(({ periodStartMs, leaseId, held }) => ({
        reservation_id: uid,
        expire_time: new Date(expireTimeMs).toISOString(),
        lease_id: leaseId.toString(),
        budget_id: BUDGET_ID,
        period_start: new Date(periodStartMs).toISOString(),
        held: held.toString(),
      }));
      const { rows } = await knex.raw(
        `select post_charges(
          (select array_agg(c) from json_populate_recordset(null::budget_charge, ?::json) c),
          (select array_agg(h) from json_populate_recordset(null::reservation_hold, ?::json) h)
        ) as answer`,
        [JSON.stringify(charges), JSON.stringify(ended)],
      );
      return (rows[0].answer.leases ?? []).map(fromLeaseJson);
    },
    async setLimit(limit) {
      await setLimit(limit);
    },
    nowMs: () => nowMs,
    async advance(ms) {
      nowMs += ms;
      await setClock();
    },
    async period(startMs) {
      // One statement: what is under way meanwhile shows as a whole or not at all.
      const { rows } = await knex.raw(
        `select p.spent, p.leased, array(
           select amount::text from budget_leases l
           where l.budget_id = p.budget_id and l.period_start = p.period_start) as leases
         from budget_periods p where budget_id = ? and period_start = to_timestamp(?::numeric / 1000)`,
        [BUDGET_ID, startMs],
      );
      const row = rows[0] ?? { spent: 0n, leased: 0n, leases: [] };
      return { spent: row.spent, leased: row.leased, leases: row.leases.map(BigInt) };
    },
  };
}
