import type { Knex } from "knex";

/**
 * What retention needs: sums of the records that are gone, and the functions that remove.
 *
 * A record is purged by moving its figures to books of their own, `tally_purged.usage_rollups` and
 * `purged_charges`, in the transaction that deletes it. The statistics are not touched, and at every moment they
 * are what the records that are there and the books of those that are gone add up to.
 */
export async function up(knex: Knex): Promise<void> {
  await createPurgedBooks(knex);
  await knex.raw(`
    -- Set when the key's record is purged: when the request was last reported, and what it said
    -- then, so that a late retry is told from other content under the same id.
    alter table usage_keys add column last_told_time timestamptz, add column fingerprint text;
    create index usage_keys_purged on usage_keys (last_told_time) where last_told_time is not null;

    -- Bodies go long before headers do: those that are left are found without reading headers.
    create index usage_payloads_bodies on usage_payloads (created_time, request_id)
      where request_body is not null or response_body is not null;

    -- Every purge that was begun. end_time is null for one that is under way or was cut off.
    create table purges (
      purge_id bigint generated always as identity primary key,
      trigger text not null check (trigger in ('SCHEDULE', 'CALL')),
      start_time timestamptz not null default clock_timestamp(),
      end_time timestamptz,
      records bigint not null default 0,
      bodies bigint not null default 0,
      headers bigint not null default 0,
      keys bigint not null default 0,
      partitions bigint not null default 0
    );
  `);
  await createPurgeRecords(knex);
  await createPurgePayloads(knex);
  await createPurgeKeys(knex);
  await createDropPartition(knex);
}

/**
 * The rollups of purged records are a table of the same name and columns in `tally_purged`: with
 * that first in the search path, the function that posts what a record moves posts it there. So the
 * two cannot come to differ in what they count. A table that `post_movements` writes to must be
 * there as well, or else a purge would post to the books of the living. Charges are only added up:
 * posting them settles, alerts and more, all of which was done when the record was finished.
 */
async function createPurgedBooks(knex: Knex): Promise<void> {
  await knex.raw(`
    create schema tally_purged;
    create table tally_purged.usage_rollups (like usage_rollups including all);

    -- What purged records had charged to each period.
    create table purged_charges (
      budget_id text collate "C" not null,
      period_start timestamptz not null,
      amount bigint not null,
      primary key (budget_id, period_start)
    ) with (fillfactor = 50);

    do $do$ begin
      execute format($def$
        create function post_purged_movements(movements usage_movement[])
        returns void language plpgsql set search_path = tally_purged, %I as $$
        begin
          perform post_movements(movements, 0::smallint);
        end $$
      $def$, current_schema());
    end $do$;

    create function post_purged_charges(charges budget_charge[]) returns void language sql as $$
      insert into purged_charges as p
      select c.budget_id, c.period_start, sum_bigint(c.amount) from unnest(charges) c
      group by 1, 2
      order by 1, 2
      on conflict (budget_id, period_start) do update set amount = p.amount + excluded.amount
    $$;
  `);
}

/**
 * Purges finished records that arrived before the cutoff, at most one batch of them, from the given
 * position on. Keys are locked before records, as everywhere; records whose key another transaction
 * holds are being changed right now and are left for another time. A key is forgotten with its
 * record if its request was last reported before keys_cutoff. Answers how many went, and the
 * position of the last that was looked at; null when there are no more.
 */
async function createPurgeRecords(knex: Knex): Promise<void> {
  await knex.raw(`
    create function purge_usage_records(
      cutoff timestamptz, keys_cutoff timestamptz, after_time timestamptz, after_id text,
      batch_size integer
    ) returns table (purged integer, last_time timestamptz, last_id text)
    language plpgsql set plan_cache_mode = force_custom_plan as $$
    declare
      ids text[];
      times timestamptz[];
      locked text[];
      gone usage_records[];
      movements usage_movement[];
      charges budget_charge[];
    begin
      select array_agg(p.request_id), array_agg(p.created_time) into ids, times
      from (
        select r.request_id, r.created_time from usage_records r
        where r.created_time >= after_time and r.created_time < cutoff
          and (r.created_time, r.request_id) > (after_time, after_id collate "C")
          and r.status in ('COMPLETED', 'FAILED')
        order by r.created_time, r.request_id
        limit batch_size
      ) p;
      purged := 0;
      if ids is null then
        return next;
        return;
      end if;
      last_time := times[cardinality(times)];
      last_id := ids[cardinality(ids)];

      select array_agg(k.request_id) into locked from (
        select request_id from usage_keys where request_id = any(ids)
        order by request_id for update skip locked
      ) k;
      with deleted as (
        delete from usage_records r using usage_keys k
        where k.request_id = any(locked) and r.request_id = k.request_id
          and r.created_time = k.created_time and r.created_time < cutoff
          and r.status in ('COMPLETED', 'FAILED')
        returning r.*
      )
      select array_agg(d::usage_records), array_agg(usage_movement_of(d::usage_records, 1))
      into gone, movements
      from deleted d;
      if gone is null then
        return next;
        return;
      end if;
      purged := cardinality(gone);

      delete from usage_payloads p using unnest(gone) g
      where p.created_time = g.created_time and p.request_id = g.request_id;
      delete from usage_keys k using unnest(gone) g
      where k.request_id = g.request_id and g.updated_time < keys_cutoff;
      update usage_keys k set last_told_time = g.updated_time, fingerprint = g.fingerprint
      from unnest(gone) g
      where k.request_id = g.request_id and g.updated_time >= keys_cutoff;

      select array_agg(row(c.budget_id, c.period_start, c.amount)::budget_charge) into charges
      from unnest(gone) g, jsonb_to_recordset(g.charges) as c (
        budget_id text, period_start timestamptz, amount bigint);
      perform post_purged_movements(movements);
      if charges is not null then
        perform post_purged_charges(charges);
      end if;
      return next;
    end $$;
  `);
}

/**
 * Both remove at most one batch from the payloads that arrived before the cutoff; a payload of which
 * nothing is left goes as a whole. Rows that are being written right now are left for another time.
 */
async function createPurgePayloads(knex: Knex): Promise<void> {
  const hasHeaders = `(request_headers is not null or provider_request_headers is not null
    or response_headers is not null)`;
  const hasBodies = "(request_body is not null or response_body is not null)";
  await createPurgePart(knex, {
    name: "purge_usage_bodies",
    has: hasBodies,
    hasRest: hasHeaders,
    clear: "request_body = null, response_body = null",
  });
  await createPurgePart(knex, {
    name: "purge_usage_headers",
    has: hasHeaders,
    hasRest: hasBodies,
    clear: "request_headers = null, provider_request_headers = null, response_headers = null",
  });
}

async function createPurgePart(
  knex: Knex,
  { name, has, hasRest, clear }: { name: string; has: string; hasRest: string; clear: string },
): Promise<void> {
  await knex.raw(`
    create function ${name}(
      cutoff timestamptz, after_time timestamptz, after_id text, batch_size integer
    ) returns table (purged integer, last_time timestamptz, last_id text)
    language sql set plan_cache_mode = force_custom_plan as $$
      with page as materialized (
        select created_time, request_id, ${hasRest} as has_rest from usage_payloads
        where created_time >= after_time and created_time < cutoff
          and (created_time, request_id) > (after_time, after_id collate "C") and ${has}
        order by created_time, request_id
        limit batch_size
        for update skip locked
      ), deleted as (
        delete from usage_payloads p using page g
        where p.created_time = g.created_time and p.request_id = g.request_id and not g.has_rest
      ), cleared as (
        update usage_payloads p set ${clear} from page g
        where p.created_time = g.created_time and p.request_id = g.request_id and g.has_rest
      )
      select (count(*) over ())::integer, created_time, request_id from page
      order by created_time desc, request_id desc
      limit 1
    $$;
  `);
}

/** Forgets at most one batch of keys whose record is gone and that nobody has told of for long. */
async function createPurgeKeys(knex: Knex): Promise<void> {
  await knex.raw(`
    create function purge_usage_keys(cutoff timestamptz, batch_size integer) returns integer
    language sql as $$
      with page as materialized (
        select request_id from usage_keys where last_told_time < cutoff
        order by last_told_time
        limit batch_size
        for update skip locked
      ), deleted as (
        delete from usage_keys k using page g where k.request_id = g.request_id
        returning 1
      )
      select count(*)::integer from deleted
    $$;
  `);
}

/**
 * Drops a partition, at once or not at all. Dropping needs a moment in which nobody uses the parent,
 * and whoever comes while we wait for it waits behind us: so we do not wait for long, and ask again
 * later. \`detach partition concurrently\` would wait as long as it takes without standing in the
 * way, but until then its month has no partition and cannot be given another one, so that a late
 * record of that month could not be written.
 *
 * Answers DROPPED, IN_USE, or NOT_EMPTY, which is a reason against it only if told so.
 */
async function createDropPartition(knex: Knex): Promise<void> {
  await knex.raw(`
    create function drop_usage_partition(partition_name text, only_empty boolean) returns text
    language plpgsql set lock_timeout = '40ms' as $$
    declare
      has_rows boolean := false;
    begin
      -- The partition first: whoever holds that one up, a vacuum for instance, is not waited for
      -- while everybody waits for us.
      execute format('lock table %I in access exclusive mode', partition_name);
      if only_empty then
        execute format('select exists (select from %I)', partition_name) into has_rows;
      end if;
      if has_rows then
        return 'NOT_EMPTY';
      end if;
      execute format('drop table %I', partition_name);
      return 'DROPPED';
    exception
      when lock_not_available then
        return 'IN_USE';
      when undefined_table then
        return 'DROPPED';
    end $$;
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
