import type { Knex } from "knex";

/** What budgets have spent and lent out. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- One row for each period of a budget that was touched. A LIFETIME budget has one period, from
    -- 1970-01-01. leased is the sum of the period's leases. short_time is when a caller was last
    -- refused for want of what others have leased: for some seconds nobody keeps any in store.
    create table budget_periods (
      budget_id text collate "C" not null,
      period_start timestamptz not null,
      spent bigint not null default 0,
      leased bigint not null default 0 check (leased >= 0),
      short_time timestamptz not null default 'epoch',
      primary key (budget_id, period_start)
    ) with (fillfactor = 50);

    -- What a replica may promise out of a period without asking. version counts its changes, so
    -- that answers which arrive out of order are told apart. A reservation that expired before
    -- expired_until holds nothing any more: its owner was told so, and has promised it again.
    -- tend_number is the owner's last word on the lease: of one whose connection broke, an earlier
    -- word may still arrive.
    create table budget_leases (
      lease_id bigint generated always as identity primary key,
      budget_id text collate "C" not null,
      period_start timestamptz not null,
      replica_id text collate "C" not null,
      amount bigint not null default 0 check (amount >= 0),
      version bigint not null default 1,
      expire_time timestamptz not null,
      expired_until timestamptz not null default 'epoch',
      tend_number bigint not null default 0,
      unique (budget_id, period_start, replica_id)
    ) with (fillfactor = 50);
    create index budget_leases_expire_time on budget_leases (expire_time);

    -- How a reservation ended, written once by whoever ends it before its expiry: a record that
    -- settles it, or a release; successor is the reservation on another replica that took its
    -- place. Rows are of no use once the reservation has expired, and are purged then.
    create table reservation_outcomes (
      reservation_id uuid primary key,
      outcome text not null check (outcome in ('SETTLED', 'RELEASED')),
      successor uuid,
      expire_time timestamptz not null
    );
    create index reservation_outcomes_expire_time on reservation_outcomes (expire_time);
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
