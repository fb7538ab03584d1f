import type { Knex } from "knex";

/** What budgets have spent and lent out. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- One row for each period of a budget that was touched. A LIFETIME budget has one period, from
    -- 1970-01-01. leased is the sum of the period's leases.
    create table budget_periods (
      budget_id text collate "C" not null,
      period_start timestamptz not null,
      spent bigint not null default 0,
      leased bigint not null default 0 check (leased >= 0),
      primary key (budget_id, period_start)
    ) with (fillfactor = 50);

    -- What a replica may promise out of a period without asking. version counts its changes, so
    -- that answers which arrive out of order are told apart.
    create table budget_leases (
      lease_id bigint generated always as identity primary key,
      budget_id text collate "C" not null,
      period_start timestamptz not null,
      replica_id text collate "C" not null,
      amount bigint not null default 0 check (amount >= 0),
      version bigint not null default 1,
      expire_time timestamptz not null,
      unique (budget_id, period_start, replica_id)
    ) with (fillfactor = 50);
    create index budget_leases_expire_time on budget_leases (expire_time);

    -- How a reservation ended, written once by whoever ends it: a record that settles it, a
    -- release, or its expiry. Without a row it is still open. Rows are of no use once the
    -- reservation has expired, and are purged then.
    create table reservation_outcomes (
      reservation_id uuid primary key,
      outcome text not null check (outcome in ('SETTLED', 'RELEASED')),
      expire_time timestamptz not null
    );
    create index reservation_outcomes_expire_time on reservation_outcomes (expire_time);
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
