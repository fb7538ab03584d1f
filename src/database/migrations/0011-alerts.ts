import type { Knex } from "knex";

/** Alerts about budgets, and the functions that make them. */
export async function up(knex: Knex): Promise<void> {
  await createTables(knex);
  await createFireThresholdAlerts(knex);
  await createPublishBudgetAlerts(knex);
  await createBudgetChanged(knex);
}

async function createTables(knex: Knex): Promise<void> {
  await knex.raw(`
    -- What a period must have spent for the next alert, as far as is known: nothing has to be
    -- looked up while it spends less. Null: to be found out. The largest bigint: never.
    alter table budget_periods add column alert_at bigint;

    create sequence budget_alert_number;

    -- A row is written in the transaction that makes it true. It gets its alert_id afterwards, from
    -- publish_budget_alerts, so that ids count in the order in which alerts can be seen: a number
    -- taken in the transaction itself might be seen after a higher one.
    create table budget_alerts (
      row_id bigint generated always as identity primary key,
      alert_id bigint unique,
      budget_id text collate "C" not null,
      period_start timestamptz not null,
      kind text not null default 'THRESHOLD',
      threshold_percent integer,
      scope text not null,
      subject text collate "C" not null,
      measure text not null,
      limit_amount bigint,
      spent bigint not null,
      -- Requests that passed without being asked, while the database was away.
      unchecked_requests bigint not null default 0,
      fire_time timestamptz not null default date_trunc('milliseconds', clock_timestamp()),
      -- Whether it may fire again, because the limit was raised above it or the budget reset.
      rearmed boolean not null default false
    );
    create unique index budget_alerts_once
      on budget_alerts (budget_id, period_start, kind, threshold_percent) where not rearmed;
    create index budget_alerts_unpublished on budget_alerts (row_id) where alert_id is null;
    create index budget_alerts_budget on budget_alerts (budget_id, alert_id);
    create index budget_alerts_subject on budget_alerts (scope, subject, alert_id);
    create index budget_alerts_fire_time on budget_alerts (fire_time);
  `);
}

/**
 * Fires what periods have passed. They are locked already, so that one transaction at a time
 * decides about each; the unique index would stop a second alert even so.
 *
 * alert_at is remembered only if nobody is changing the budget: whoever changes it later waits for
 * the lock on its row, and then sees the period. Else the next posting looks again.
 */
async function createFireThresholdAlerts(knex: Knex): Promise<void> {
  await knex.raw(`
    -- The percentages at which a budget alerts, and the spend that reaches each: 1 at least. A
    -- SOFT budget, which denies nothing, tells at least that its limit is reached.
    create function alert_thresholds(b budgets) returns table (percent integer, amount bigint)
    language sql immutable as $$
      select p, least(greatest(div(b.limit_amount::numeric * p + 99, 100), 1),
        9223372036854775807)::bigint
      from (
        select unnest(b.alert_percents) union select 100 where b.enforcement = 'SOFT'
      ) as t (p)
      where b.limit_amount is not null
    $$;

    create function fire_threshold_alerts(due budget_charge[]) returns void
    language plpgsql as $$
    declare
      settled text[];
    begin
      insert into budget_alerts (budget_id, period_start, threshold_percent, scope, subject,
        measure, limit_amount, spent)
      select b.budget_id, d.period_start, t.percent, b.scope, b.subject, b.measure,
        b.limit_amount, d.amount
      from unnest(due) d join budgets b using (budget_id) cross join alert_thresholds(b) t
      where d.amount >= t.amount
      order by b.budget_id, d.period_start, t.percent
      on conflict (budget_id, period_start, kind, threshold_percent) where not rearmed do nothing;
      if found then
        perform pg_notify('tally_budget_alerts', '');
      end if;

      select array_agg(l.budget_id) into settled from (
        select b.budget_id from budgets b
        where b.budget_id in (select d.budget_id from unnest(due) d)
        order by b.budget_id for share skip locked) l;
      update budget_periods p set alert_at = coalesce(
        (select min(t.amount) from budgets b cross join alert_thresholds(b) t
          where b.budget_id = p.budget_id and t.amount > p.spent), 9223372036854775807)
      from unnest(due) d
      where p.budget_id = d.budget_id and p.period_start = d.period_start
        and d.budget_id = any(settled);
    end $$;
  `);
}

/**
 * Numbers the alerts that were committed since the last time. One at a time, and each sees what the
 * one before did, so whoever has read up to some number has read all that will ever be below it.
 */
async function createPublishBudgetAlerts(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Answers the highest number that is given, or 0.
    create function publish_budget_alerts() returns bigint language plpgsql as $$
    begin
      if exists (select from budget_alerts where alert_id is null) then
        perform pg_advisory_xact_lock(hashtext('tally budget alerts'));
        update budget_alerts a set alert_id = n.alert_id
        from (
          select row_id, nextval('budget_alert_number') as alert_id
          from (select row_id from budget_alerts where alert_id is null order by row_id) u) n
        where a.row_id = n.row_id;
      end if;
      return coalesce((select max(alert_id) from budget_alerts), 0);
    end $$;
  `);
}

/**
 * What a change of a budget means for its alerts. A raised limit brings thresholds back that are
 * not reached under it; a lowered one, or a new threshold, fires at once in the current period
 * (roughly told: a day has 24 hours here). In a period before that, the next posting looks.
 */
async function createBudgetChanged(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Thresholds of these periods may fire again, but for those that are reached still.
    create function rearm_threshold_alerts(periods budget_charge[]) returns void
    language sql as $$
      update budget_alerts a set rearmed = true
      from unnest(periods) w
      join budget_periods p on p.budget_id = w.budget_id and p.period_start = w.period_start
      where a.budget_id = w.budget_id and a.period_start = w.period_start
        and a.kind = 'THRESHOLD' and not a.rearmed
        and not exists (
          select from budgets b cross join alert_thresholds(b) t
          where b.budget_id = a.budget_id and t.percent = a.threshold_percent
            and t.amount <= p.spent)
    $$;

    -- Looks at the last two periods of each budget, which are all that is still spent on.
    create function review_budget_alerts(changed text[], raised text[]) returns void
    language plpgsql as $$
    declare
      reviewed budget_charge[];
      due budget_charge[];
    begin
      select array_agg(row(p.budget_id, p.period_start, 0)::budget_charge) into reviewed
      from unnest(changed) c (budget_id) cross join lateral (
        select budget_id, period_start from budget_periods
        where budget_id = c.budget_id order by period_start desc limit 2) p;
      if reviewed is null then
        return;
      end if;
      perform lock_budget_periods(reviewed);
      perform rearm_threshold_alerts((select array_agg(r::budget_charge)
        from unnest(reviewed) r where r.budget_id = any(raised)));
      with updated as (
        update budget_periods p set alert_at = null from unnest(reviewed) r
        where p.budget_id = r.budget_id and p.period_start = r.period_start
        returning p.budget_id, p.period_start, p.spent
      )
      select array_agg(row(u.budget_id, u.period_start, u.spent)::budget_charge) into due
      from updated u join budgets b using (budget_id)
      where u.spent > 0 and b.active and (b.window_kind = 'LIFETIME'
        or now() >= u.period_start and now() < u.period_start + case b.window_kind
          when 'DAY' then interval '1 day' when 'WEEK' then interval '7 days'
          when 'MONTH' then interval '1 month' else make_interval(days => b.window_days) end);
      if due is not null then
        perform fire_threshold_alerts(due);
      end if;
    end $$;

    create function review_added_budgets() returns trigger language plpgsql as $$
    begin
      perform review_budget_alerts(
        (select array_agg(budget_id order by budget_id) from changed), null);
      return null;
    end $$;
    create trigger review_alerts_insert after insert on budgets
      referencing new table as changed
      for each statement execute function review_added_budgets();

    create function review_changed_budgets() returns trigger language plpgsql as $$
    declare
      affected text[];
      raised text[];
    begin
      select array_agg(n.budget_id order by n.budget_id),
        array_agg(n.budget_id) filter (
          where o.limit_amount is not null and n.limit_amount > o.limit_amount
            or n.limit_amount is null)
      into affected, raised
      from changed n join before o using (budget_id)
      where (n.limit_amount, n.alert_percents, n.enforcement, n.active)
        is distinct from (o.limit_amount, o.alert_percents, o.enforcement, o.active);
      if affected is not null then
        perform review_budget_alerts(affected, raised);
      end if;
      return null;
    end $$;
    create trigger review_alerts_update after update on budgets
      referencing new table as changed old table as before
      for each statement execute function review_changed_budgets();

    -- A period that was reset has spent nothing, so no threshold is reached any more.
    create function rearm_reset_period() returns trigger language plpgsql as $$
    begin
      update budget_alerts set rearmed = true
      where budget_id = new.budget_id and period_start = new.period_start
        and kind = 'THRESHOLD' and not rearmed;
      update budget_periods set alert_at = null
      where budget_id = new.budget_id and period_start = new.period_start;
      return null;
    end $$;
    create trigger rearm_reset_period after insert on budget_adjustments
      for each row when (new.kind = 'RESET') execute function rearm_reset_period();
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
