import type { Database } from "../../src/database/database.js";

/** The clock of a database, which decides what day it is and what has expired. */
export interface ShiftedClock {
  /** Sets it; it goes on from there. */
  set(nowMs: number): Promise<void>;
  /** Sets it forward. */
  advance(ms: number): Promise<void>;
}

/**
 * Puts functions of the same names before those of PostgreSQL that tell the time. Holds for
 * connections that are made after this: to be called before anything is started on the database.
 */
export async function shiftClock({ knex }: Database): Promise<ShiftedClock> {
  const { rows } = await knex.raw("select current_database() as name");
  await knex.raw(`
    create schema shifted;
    create table shifted.clock (ahead interval not null);
    insert into shifted.clock values ('0');
    create function shifted.clock_timestamp() returns timestamptz language sql volatile as
      'select pg_catalog.clock_timestamp() + ahead from shifted.clock';
    create function shifted.now() returns timestamptz language sql stable as
      'select pg_catalog.now() + ahead from shifted.clock';`);
  await knex.raw("alter database ?? set search_path = public, shifted, pg_catalog", [rows[0].name]);
  return {
    async set(nowMs) {
      await knex.raw(
        "update shifted.clock set ahead = to_timestamp(?) - pg_catalog.clock_timestamp()",
        [nowMs / 1_000],
      );
    },
    async advance(ms) {
      await knex.raw("update shifted.clock set ahead = ahead + ? * interval '1 millisecond'", [ms]);
    },
  };
}
