import type { Knex } from "knex";

/** What a record needs while its request is under way. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- open_reservation: {expire_time, holds: [{lease_id, budget_id, period_start, held}]} of the
    -- reservation that ends with the request; null without one, and once the record is finished.
    -- swept: true when the request was failed because nothing was heard of it, so that its late
    -- record may still complete it.
    alter table usage_records add column open_reservation jsonb, add column swept boolean;
    create index usage_records_active_user on usage_records (user_id, created_time)
      where status in ('PENDING', 'STREAMING');
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
