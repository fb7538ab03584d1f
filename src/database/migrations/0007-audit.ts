import type { Knex } from "knex";

/** Who changed what in the catalog, and what was changed of budgets by hand. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Who changes the catalog holds its lock, so that ids follow each other as the changes do.
    create table audit_log (
      audit_id bigint generated always as identity primary key,
      event_time timestamptz not null default clock_timestamp(),
      actor text collate "C" not null,
      method text not null,
      request_id text not null,
      action text not null check (action in ('CREATED', 'UPDATED', 'DELETED')),
      resource_type text collate "C" not null,
      resource_id text collate "C" not null,
      before jsonb,
      after jsonb
    );
    create index audit_log_resource on audit_log (resource_type, resource_id, audit_id);
    create index audit_log_actor on audit_log (actor, audit_id);
    create index audit_log_event_time on audit_log (event_time);

    -- What was changed of a budget by hand, once for each request_id. RESET: the amount was added to
    -- what the period has spent, so it is 0 or less. TOP_UP: it was added to the budget's limit.
    create table budget_adjustments (
      adjustment_id bigint generated always as identity primary key,
      budget_id text collate "C" not null,
      period_start timestamptz not null,
      kind text not null check (kind in ('RESET', 'TOP_UP')),
      amount bigint not null,
      request_id text collate "C" not null unique,
      actor text collate "C" not null,
      create_time timestamptz not null default clock_timestamp()
    );
    create index budget_adjustments_period on budget_adjustments (budget_id, period_start);
  `);
  await createResetBudgetPeriod(knex);
}

/**
 * Sets to 0 what a period has spent, and writes down by how much. What is leased stays: it is held
 * for requests under way, whatever was spent before them. Who calls it holds the catalog's lock, and
 * comes to the period last, for writers of usage wait for it.
 */
async function createResetBudgetPeriod(knex: Knex): Promise<void> {
  await knex.raw(`
    create function reset_budget_period(
      wanted_budget_id text, wanted_period_start timestamptz, wanted_request_id text,
      wanted_actor text
    ) returns table (forgiven bigint, held bigint) language plpgsql as $$
    begin
      insert into budget_periods (budget_id, period_start)
      values (wanted_budget_id, wanted_period_start)
      on conflict do nothing;
      select p.spent, p.leased into forgiven, held from budget_periods p
        where p.budget_id = wanted_budget_id and p.period_start = wanted_period_start
        for update;
      insert into budget_adjustments (budget_id, period_start, kind, amount, request_id, actor)
      values (wanted_budget_id, wanted_period_start, 'RESET', -forgiven, wanted_request_id,
        wanted_actor);
      update budget_periods p set spent = 0
        where p.budget_id = wanted_budget_id and p.period_start = wanted_period_start;
      return next;
    end $$;
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
