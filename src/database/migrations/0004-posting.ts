import type { Knex } from "knex";
import { createPostRollups } from "./rollup-posting.js";

/**
 * The functions that post what a record moves: rollups and budgets. Like those that write
 * records, they run in the database for two reasons: a whole batch costs one round trip and one
 * commit, and their plans are kept between calls. What is decided here is only arithmetic and
 * locking; prices, budgets and conflicts are decided in TypeScript.
 *
 * Lock order, everywhere: usage_keys, usage_records, usage_rollups, budget_periods,
 * budget_leases, reservation_outcomes; within a table by primary key. The rows that many writers
 * share come last, so that they are held only until the commit that follows.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- sum(bigint) makes a numeric, whose conversion back cost more than the sum; this one stays
    -- in bigint and still fails, rather than wraps, past 2^63.
    create aggregate sum_bigint(bigint) (
      sfunc = int8pl, stype = bigint, initcond = '0', combinefunc = int8pl, parallel = safe
    );

    -- One finished record, or with sign -1 one that is taken back.
    create type usage_movement as (
      sign bigint,
      created_time timestamptz,
      user_id text,
      api_key_id text,
      provider text,
      model text,
      api_format text,
      failed boolean,
      input_tokens bigint,
      output_tokens bigint,
      cache_creation_tokens bigint,
      cache_read_tokens bigint,
      cost_input bigint,
      cost_output bigint,
      cost_cache_creation bigint,
      cost_cache_read bigint,
      cost_request bigint,
      actual_cost bigint,
      response_time_ms bigint,
      first_byte_time_ms bigint,
      is_retried boolean,
      tags jsonb
    );

    create function usage_movement_of(r usage_records, sign bigint) returns usage_movement
    language sql immutable as $$
      select row(sign, r.created_time, r.user_id, r.api_key_id, r.provider, r.model, r.api_format,
        r.status = 'FAILED', r.input_tokens, r.output_tokens, r.cache_creation_tokens,
        r.cache_read_tokens, r.cost_input, r.cost_output, r.cost_cache_creation, r.cost_cache_read,
        r.cost_request, r.actual_input + r.actual_output + r.actual_cache_creation
          + r.actual_cache_read + r.actual_request,
        r.response_time_ms, r.first_byte_time_ms, r.is_retried, r.tags)::usage_movement
    $$;
  `);
  await createPostRollups(knex);
  await createPostCharges(knex);
}

/**
 * Budgets and reservations. A hold counts only if its lease is still there, the reservation has not
 * expired, and nobody ended it before: the insert into reservation_outcomes decides. Expiry is read
 * from the database's clock once the leases are locked, since their owner takes the amount for free
 * as soon as it has heard, under the same locks, that the time is over. expired_until remembers
 * that moment, should the clock be set back.
 *
 * Alerts are made by the functions of 0011-alerts; here it costs one comparison a period to know
 * that there is none.
 */
async function createPostCharges(knex: Knex): Promise<void> {
  await knex.raw(`
    create type budget_charge as (budget_id text, period_start timestamptz, amount bigint);
    create type reservation_hold as (
      reservation_id uuid, expire_time timestamptz, lease_id bigint, budget_id text,
      period_start timestamptz, held bigint
    );

    create function end_reservations(holds reservation_hold[], wanted_outcome text)
    returns reservation_hold[] language plpgsql as $$
    declare
      ended reservation_hold[];
    begin
      perform 1 from budget_leases where lease_id in (select h.lease_id from unnest(holds) h)
        order by lease_id for update;
      with closed as (
        insert into reservation_outcomes (reservation_id, outcome, expire_time)
        select h.reservation_id, wanted_outcome, max(h.expire_time)
        from unnest(holds) h left join budget_leases l using (lease_id)
        group by h.reservation_id
        having max(h.expire_time) > greatest(clock_timestamp(), max(l.expired_until))
        order by h.reservation_id
        on conflict (reservation_id) do nothing
        returning reservation_id
      )
      -- Two records of a batch may come with the same reservation.
      select array_agg(h::reservation_hold) into ended
      from (select distinct on (reservation_id, lease_id) * from unnest(holds)) h
      join closed using (reservation_id) join budget_leases using (lease_id);
      if ended is not null then
        update budget_leases l set amount = l.amount - s.held, version = l.version + 1
        from (select e.lease_id, sum_bigint(e.held) as held from unnest(ended) e group by 1) s
        where l.lease_id = s.lease_id;
      end if;
      return ended;
    end $$;

    -- Rows of periods that are missing are made, all are locked, in lock order. A row that was
    -- made first and others locked after it would break that order.
    create function lock_budget_periods(wanted budget_charge[]) returns void
    language plpgsql as $$
    begin
      if exists (
        select from unnest(wanted) w where not exists (
          select from budget_periods p
          where p.budget_id = w.budget_id and p.period_start = w.period_start)
      ) then
        insert into budget_periods as p (budget_id, period_start)
        select distinct w.budget_id, w.period_start from unnest(wanted) w order by 1, 2
        on conflict (budget_id, period_start) do update set spent = p.spent;
      else
        perform 1 from budget_periods
          where (budget_id, period_start) in (
            select w.budget_id, w.period_start from unnest(wanted) w)
          order by budget_id, period_start for update;
      end if;
    end $$;

    create function post_charges(charges budget_charge[], holds reservation_hold[]) returns json
    language plpgsql as $$
    declare
      ended reservation_hold[];
      periods json;
      due budget_charge[];
    begin
      if holds is not null then
        perform lock_budget_periods(charges || (
          select array_agg(row(h.budget_id, h.period_start, 0)::budget_charge)
          from unnest(holds) h));
        ended := end_reservations(holds, 'SETTLED');
      end if;
      with moved as (
        insert into budget_periods as p (budget_id, period_start, spent, leased)
        select budget_id, period_start, sum_bigint(amount), sum_bigint(held)
        from (
          select c.budget_id, c.period_start, c.amount, 0::bigint as held from unnest(charges) c
          union all
          select e.budget_id, e.period_start, 0, e.held from unnest(ended) e
        ) x
        group by 1, 2 order by 1, 2
        on conflict (budget_id, period_start) do update set
          spent = p.spent + excluded.spent,
          leased = p.leased - excluded.leased
        returning p.budget_id, p.period_start, p.spent, p.leased, p.alert_at
      )
      select json_agg(json_build_object('budget_id', m.budget_id, 'period_start', m.period_start,
          'spent', m.spent::text, 'leased', m.leased::text)),
        array_agg(row(m.budget_id, m.period_start, m.spent)::budget_charge)
          filter (where m.alert_at is null or m.spent >= m.alert_at)
      into periods, due from moved m;
      if due is not null then
        perform fire_threshold_alerts(due);
      end if;
      return json_build_object(
        'periods', periods,
        'leases', (
          select json_agg(json_build_object('lease_id', l.lease_id::text,
            'amount', l.amount::text, 'version', l.version::text))
          from budget_leases l where l.lease_id in (select h.lease_id from unnest(holds) h)));
    end $$;
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
