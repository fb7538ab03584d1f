import type { Knex } from "knex";

/**
 * The functions by which replicas take, tend and return leases. Lock order as in posting: periods,
 * then leases, then reservation outcomes, each by primary key.
 */
export async function up(knex: Knex): Promise<void> {
  await createGrowLeases(knex);
  await createReleaseReservations(knex);
  await createMoveReservation(knex);
  await createTendLeases(knex);
  await createSweepLeases(knex);
}

/**
 * Serves a group of waiting checks in their order, each all or none. `wanted` lists the periods,
 * numbered from 1; `asks` what each caller still needs from them: {c, i, amount}. An ask of 0 needs
 * only that something is left.
 *
 * extra is what the replica would like beyond the asks, to answer the next checks from memory. It
 * gets at most half of what is free then, and nothing of a period that is tight: with less than a
 * twentieth of its limit free, or where a caller was refused in the last seconds. There every
 * caller is served by itself, so that nothing lies idle at one replica while another denies.
 */
async function createGrowLeases(knex: Knex): Promise<void> {
  await knex.raw(`
    create type lease_wish as (
      i integer, budget_id text, period_start timestamptz, expire_time timestamptz, extra bigint
    );

    create function is_tight(limit_amount bigint, free bigint, short_time timestamptz)
    returns boolean language sql stable as $$
      select limit_amount is not null and (free < limit_amount / 20
        or short_time > clock_timestamp() - interval '3 seconds')
    $$;

    create function grow_leases(replica text, wanted json, asks json) returns json
    language plpgsql as $$
    declare
      wishes lease_wish[];
      free bigint[];
      limits bigint[];
      short_times timestamptz[];
      granted bigint[];
      refused boolean[];
      ask record;
      fits boolean;
      admitted integer[] := '{}';
      i integer;
      j integer;
      answer json;
    begin
      select array_agg(w order by w.i) into wishes
      from json_populate_recordset(null::lease_wish, wanted) w;
      perform lock_budget_periods((
        select array_agg(row(w.budget_id, w.period_start, 0)::budget_charge) from unnest(wishes) w));
      insert into budget_leases (budget_id, period_start, replica_id, expire_time)
      select w.budget_id, w.period_start, replica, w.expire_time from unnest(wishes) w
      order by 1, 2
      on conflict (budget_id, period_start, replica_id) do nothing;

      select array_agg(
          case
            when b.budget_id is null or not b.active or b.limit_amount is null
              then 4611686018427387904 - p.leased
            when b.expire_time <= clock_timestamp() then 0
            else b.limit_amount - p.spent - p.leased
          end order by w.i),
        array_agg(case when b.active then b.limit_amount end order by w.i),
        array_agg(p.short_time order by w.i)
      into free, limits, short_times
      from unnest(wishes) w
      join budget_periods p on p.budget_id = w.budget_id and p.period_start = w.period_start
      left join budgets b on b.budget_id = w.budget_id;
      granted := array_fill(0::bigint, array[cardinality(free)]);
      refused := array_fill(false, array[cardinality(free)]);

      for ask in
        select a.c, array_agg(a.i) as periods, array_agg(a.amount) as amounts
        from json_to_recordset(asks) as a (c integer, i integer, amount bigint)
        group by a.c order by a.c
      loop
        fits := true;
        for j in 1 .. cardinality(ask.periods) loop
          i := ask.periods[j];
          if free[i] <= 0 or free[i] < ask.amounts[j] then
            fits := false;
            refused[i] := true;
          end if;
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
        if not refused[i] and not is_tight(limits[i], free[i], short_times[i]) then
          granted[i] := granted[i] + greatest(least(wishes[i].extra, free[i] / 2), 0);
        end if;
      end loop;

      perform 1 from budget_leases l join unnest(wishes) w
          on l.budget_id = w.budget_id and l.period_start = w.period_start
        where l.replica_id = replica
        order by l.lease_id for update of l;
      update budget_periods p set leased = p.leased + granted[w.i]
      from unnest(wishes) w
      where p.budget_id = w.budget_id and p.period_start = w.period_start and granted[w.i] > 0;
      -- Told once a second at most, and only while somebody else may have some to return.
      update budget_periods p set short_time = clock_timestamp()
      from unnest(wishes) w
      where p.budget_id = w.budget_id and p.period_start = w.period_start and refused[w.i]
        and p.short_time < clock_timestamp() - interval '1 second'
        and exists (
          select 1 from budget_leases l
          where l.budget_id = p.budget_id and l.period_start = p.period_start
            and l.replica_id <> replica and l.amount > 0);
      update budget_leases l set
        amount = l.amount + granted[w.i],
        version = l.version + 1,
        expire_time = greatest(l.expire_time, w.expire_time)
      from unnest(wishes) w
      where l.budget_id = w.budget_id and l.period_start = w.period_start
        and l.replica_id = replica and (granted[w.i] > 0 or l.expire_time < w.expire_time);
      select json_build_object(
        'now', clock_timestamp(),
        'admitted', admitted,
        'periods', json_agg(json_build_object(
          'lease_id', l.lease_id::text, 'amount', l.amount::text,
          'version', l.version::text, 'expire_time', l.expire_time,
          'limit', b.limit_amount::text, 'spent', p.spent::text,
          'leased', p.leased::text) order by w.i))
      into answer
      from unnest(wishes) w
      join budget_periods p on p.budget_id = w.budget_id and p.period_start = w.period_start
      join budget_leases l on l.budget_id = w.budget_id and l.period_start = w.period_start
        and l.replica_id = replica
      left join budgets b on b.budget_id = w.budget_id;
      return answer;
    end $$;
  `);
}

async function createReleaseReservations(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Ends reservations without spend: their amounts go back from lease to budget. Answers which
    -- this call ended; the others had ended before, and the leases as they are show it.
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
          from budget_leases l where l.lease_id in (select h.lease_id from unnest(wanted) h)));
    end $$;
  `);
}

async function createMoveReservation(knex: Knex): Promise<void> {
  await knex.raw(`
    -- Ends a reservation of another replica and grants its successor to this one, or neither: in
    -- between nobody else can take what it held. outcome: MOVED with the answer of grow_leases,
    -- REFUSED, or ENDED when there was nothing to move. Asked again, because the first answer was
    -- lost, it answers MOVED and grants nothing more.
    create function move_reservation(
      replica text, holds json, successor_id uuid, wanted json, asks json
    ) returns json language plpgsql as $$
    declare
      answer json;
    begin
      if release_reservations(holds) ->> 'released' is not null then
        update reservation_outcomes set successor = successor_id
        where reservation_id = (holds -> 0 ->> 'reservation_id')::uuid;
        answer := grow_leases(replica, wanted, asks);
        if json_array_length(asks) > 0 and json_array_length(answer -> 'admitted') = 0 then
          raise exception using errcode = 'TL001', message = 'refused';
        end if;
      elsif exists (select 1 from reservation_outcomes where successor = successor_id
          and reservation_id = (holds -> 0 ->> 'reservation_id')::uuid) then
        answer := grow_leases(replica, wanted, '[]');
      else
        return json_build_object('outcome', 'ENDED');
      end if;
      return json_build_object('outcome', 'MOVED', 'answer', answer);
    exception when sqlstate 'TL001' then
      return json_build_object('outcome', 'REFUSED');
    end $$;
  `);
}

async function createTendLeases(knex: Knex): Promise<void> {
  await knex.raw(`
    create type lease_tending as (
      lease_id bigint, budget_id text, period_start timestamptz, give bigint, is_expiring boolean,
      is_unsure boolean, expire_time timestamptz
    );

    -- What a replica does for its leases from time to time. give goes back to the budget.
    -- is_expiring asks up to when reservations have expired: from then on no hold that expired
    -- before is honoured, so that their amounts are free in the lease, unless they were settled
    -- before, which the amount shows. expire_time is when the lease may be swept, if later than
    -- before. is_unsure says that the answer to an earlier give was lost. The calls of a replica are
    -- numbered, and one that comes after a later one gives nothing: the replica has taken the later
    -- answer for the truth. Leases that were swept are missing in the answer.
    create function tend_leases(replica text, number bigint, wanted json) returns json
    language plpgsql as $$
    declare
      tended lease_tending[];
      moment timestamptz;
      answer json;
    begin
      select array_agg(t) into tended
      from json_populate_recordset(null::lease_tending, wanted) t;
      perform 1 from budget_periods where (budget_id, period_start) in (
          select t.budget_id, t.period_start from unnest(tended) t where t.give > 0)
        order by budget_id, period_start for update;
      perform 1 from budget_leases
        where replica_id = replica and lease_id in (select t.lease_id from unnest(tended) t)
        order by lease_id for update;
      moment := clock_timestamp();
      with changed as (
        update budget_leases l set
          amount = l.amount - t.give,
          version = l.version + 1,
          expire_time = greatest(l.expire_time, t.expire_time),
          expired_until = case when t.is_expiring then greatest(l.expired_until, moment)
            else l.expired_until end,
          tend_number = number
        from unnest(tended) t
        where l.lease_id = t.lease_id and l.replica_id = replica and l.tend_number < number
          and (t.give > 0 or t.is_expiring or t.is_unsure or l.expire_time < t.expire_time)
        returning l.budget_id, l.period_start, t.give
      )
      update budget_periods p set leased = p.leased - c.give from changed c
      where p.budget_id = c.budget_id and p.period_start = c.period_start and c.give > 0;
      select json_build_object('now', moment, 'leases', json_agg(json_build_object(
        'lease_id', l.lease_id::text, 'amount', l.amount::text, 'version', l.version::text,
        'expire_time', l.expire_time, 'expired_until', l.expired_until,
        'limit', b.limit_amount::text, 'spent', p.spent::text, 'leased', p.leased::text,
        'is_tight', is_tight(b.limit_amount, b.limit_amount - p.spent - p.leased, p.short_time))))
      into answer
      from unnest(tended) t
      join budget_leases l on l.lease_id = t.lease_id and l.replica_id = replica
      join budget_periods p on p.budget_id = l.budget_id and p.period_start = l.period_start
      left join budgets b on b.budget_id = l.budget_id;
      return answer;
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
      if expired is null then
        swept := 0;
      else
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
      end if;
      delete from reservation_outcomes where expire_time < clock_timestamp() - interval '1 hour';
      return swept;
    end $$;
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
