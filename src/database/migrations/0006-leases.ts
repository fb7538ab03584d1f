import type { Knex } from "knex";

/**
 * The functions by which replicas take and return leases. Lock order as in posting: periods, then
 * leases, then reservation outcomes, each by primary key.
 */
export async function up(knex: Knex): Promise<void> {
  await createGrowLeases(knex);
  await createReleaseReservations(knex);
  await createSweepLeases(knex);
}

/**
 * Serves a group of waiting checks in their order, each all or none. `wanted` lists the periods,
 * numbered from 1: {i, budget_id, period_start, expire_time, extra}; `asks` what each caller still
 * needs from them: {c, i, amount}. An ask of 0 needs only that something is left. extra is what
 * the replica would like beyond the asks; it gets at most half of what is free then.
 */
async function createGrowLeases(knex: Knex): Promise<void> {
  await knex.raw(`
    create function grow_leases(replica text, wanted json, asks json) returns json
    language plpgsql as $$
    declare
      free bigint[];
      granted bigint[];
      extras bigint[];
      ask record;
      fits boolean;
      admitted integer[] := '{}';
      i integer;
      j integer;
      answer json;
    begin
      insert into budget_periods (budget_id, period_start)
      select w.budget_id, w.period_start
      from json_to_recordset(wanted) as w (budget_id text, period_start timestamptz)
      order by 1, 2
      on conflict do nothing;
      perform 1 from budget_periods where (budget_id, period_start) in (
        select w.budget_id, w.period_start
        from json_to_recordset(wanted) as w (budget_id text, period_start timestamptz))
      order by budget_id, period_start for update;
      insert into budget_leases (budget_id, period_start, replica_id, expire_time)
      select w.budget_id, w.period_start, replica, w.expire_time
      from json_to_recordset(wanted) as w (
        budget_id text, period_start timestamptz, expire_time timestamptz)
      order by 1, 2
      on conflict (budget_id, period_start, replica_id) do nothing;

      select array_agg(
          case
            when b.budget_id is null or not b.active or b.limit_amount is null
              then 4611686018427387904 - p.leased
            when b.expire_time <= clock_timestamp() then 0
            else b.limit_amount - p.spent - p.leased
          end order by w.i),
        array_agg(w.extra order by w.i)
      into free, extras
      from json_to_recordset(wanted) as w (
        i integer, budget_id text, period_start timestamptz, extra bigint)
      join budget_periods p on p.budget_id = w.budget_id and p.period_start = w.period_start
      left join budgets b on b.budget_id = w.budget_id;
      granted := array_fill(0::bigint, array[cardinality(free)]);

      for ask in
        select a.c, array_agg(a.i) as periods, array_agg(a.amount) as amounts
        from json_to_recordset(asks) as a (c integer, i integer, amount bigint)
        group by a.c order by a.c
      loop
        fits := true;
        for j in 1 .. cardinality(ask.periods) loop
          fits := fits and free[ask.periods[j]] > 0
            and free[ask.periods[j]] >= ask.amounts[j];
        end loop;
        if fits then
          admitted := admitted || ask.c;
          for j in 1 .. cardinality(ask.periods) loop
            i := ask.periods[j];
            free[i] := free[i] - ask.amounts[j];
            granted[i] := granted[i] + ask.amounts[j];
          end loop;
        end if;
      end loop;
      for i in 1 .. cardinality(free) loop
        granted[i] := granted[i] + greatest(least(extras[i], free[i] / 2), 0);
      end loop;

      perform 1 from budget_leases l
        join json_to_recordset(wanted) as w (budget_id text, period_start timestamptz)
          on l.budget_id = w.budget_id and l.period_start = w.period_start
        where l.replica_id = replica
        order by l.lease_id for update of l;
      update budget_periods p set leased = p.leased + granted[w.i]
      from json_to_recordset(wanted) as w (i integer, budget_id text, period_start timestamptz)
      where p.budget_id = w.budget_id and p.period_start = w.period_start and granted[w.i] > 0;
      with grown as (
        update budget_leases l set
          amount = l.amount + granted[w.i],
          version = l.version + 1,
          expire_time = greatest(l.expire_time, w.expire_time)
        from json_to_recordset(wanted) as w (
          i integer, budget_id text, period_start timestamptz, expire_time timestamptz)
        where l.budget_id = w.budget_id and l.period_start = w.period_start
          and l.replica_id = replica
        returning w.i, l.*
      )
      select json_build_object(
        'now', clock_timestamp(),
        'admitted', admitted,
        'periods', json_agg(json_build_object(
          'i', g.i, 'lease_id', g.lease_id::text, 'amount', g.amount::text,
          'version', g.version::text, 'expire_time', g.expire_time,
          'limit', b.limit_amount::text, 'spent', p.spent::text,
          'leased', p.leased::text) order by g.i))
      into answer
      from grown g
      join budget_periods p on p.budget_id = g.budget_id and p.period_start = g.period_start
      left join budgets b on b.budget_id = g.budget_id;
      return answer;
    end $$;
  `);
}

async function createReleaseReservations(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Ends reservations without spend: their amounts go back from lease to budget. Answers which
    -- this call ended; the others were ended before, and the leases as they are show it.
    create function release_reservations(holds json) returns json language plpgsql as $$
    declare
      wanted reservation_hold[];
      ended reservation_hold[];
    begin
      select array_agg(h::reservation_hold) into wanted
      from json_to_recordset(holds) as h (
        reservation_id uuid, expire_time timestamptz, lease_id bigint, budget_id text,
        period_start timestamptz, held bigint);
      perform 1 from budget_periods where (budget_id, period_start) in (
          select h.budget_id, h.period_start from unnest(wanted) h)
        order by budget_id, period_start for update;
      ended := end_reservations(wanted, 'RELEASED');
      update budget_periods p set leased = p.leased - s.held
      from (select e.budget_id, e.period_start, sum_bigint(e.held) as held
        from unnest(ended) e group by 1, 2) s
      where p.budget_id = s.budget_id and p.period_start = s.period_start;
      return json_build_object(
        'released', (select json_agg(distinct e.reservation_id) from unnest(ended) e),
        'leases', (
          select json_agg(json_build_object('lease_id', l.lease_id::text,
            'amount', l.amount::text, 'version', l.version::text))
          from budget_leases l where l.lease_id in (select h.lease_id from unnest(wanted) h)),
        'periods', (
          select json_agg(json_build_object('budget_id', p.budget_id,
            'period_start', p.period_start, 'spent', p.spent::text, 'leased', p.leased::text))
          from budget_periods p where (p.budget_id, p.period_start) in (
            select h.budget_id, h.period_start from unnest(wanted) h)));
    end $$;
  `);
}

async function createSweepLeases(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Returns what expired leases still hold to their budgets, at most max_leases of them, and
    -- forgets reservations that expired more than an hour ago. Answers how many leases went.
    create function sweep_leases(max_leases integer) returns integer language plpgsql as $$
    declare
      expired bigint[];
      swept integer;
    begin
      select array_agg(e.lease_id) into expired from (
        select lease_id from budget_leases where expire_time < clock_timestamp()
        order by lease_id limit max_leases) e;
      perform 1 from budget_periods where (budget_id, period_start) in (
          select budget_id, period_start from budget_leases where lease_id = any(expired))
        order by budget_id, period_start for update;
      with locked as (
        select lease_id from budget_leases
        where lease_id = any(expired) and expire_time < clock_timestamp()
        order by lease_id for update
      ), removed as (
        delete from budget_leases l using locked k where l.lease_id = k.lease_id
        returning l.budget_id, l.period_start, l.amount
      ), returned as (
        update budget_periods p set leased = p.leased - s.amount
        from (select budget_id, period_start, sum_bigint(amount) as amount
          from removed group by 1, 2) s
        where p.budget_id = s.budget_id and p.period_start = s.period_start
      )
      select count(*) into swept from removed;
      delete from reservation_outcomes where expire_time < clock_timestamp() - interval '1 hour';
      return swept;
    end $$;
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
