import type { Knex } from "knex";

/** Pricing finished records anew: who asked for what, how far it has come, and one step of it. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- One row a repricing, for ever: it is the log of who changed what was charged. parameters is
    -- the request, models the sums by model. Records up to the position are done; end_time is null
    -- while it is under way, or was cut off.
    create table reprices (
      request_id text collate "C" primary key,
      parameters jsonb not null,
      requested_by text not null,
      create_time timestamptz not null default clock_timestamp(),
      end_time timestamptz,
      position_time timestamptz not null default '-infinity',
      position_id text collate "C" not null default '',
      records bigint not null default 0,
      changed_records bigint not null default 0,
      unpriced_records bigint not null default 0,
      models jsonb not null default '{}'
    );

    -- Who begins one is in the audit log as well, which only grows under the catalog's lock (see
    -- catalog-store.ts).
    create function begin_reprice(wanted_id text, wanted_parameters jsonb, who text) returns void
    language plpgsql as $$
    begin
      insert into reprices (request_id, parameters, requested_by)
      values (wanted_id, wanted_parameters, who)
      on conflict (request_id) do nothing;
      if found then
        perform pg_advisory_xact_lock(27973175172951911);
        insert into audit_log (actor, method, request_id, action, resource_type, resource_id, after)
        values (who, 'Reprice', wanted_id, 'CREATED', 'reprice', wanted_id, wanted_parameters);
      end if;
    end $$;

    -- Puts repriced records in the place of those that are there, moves every sum by the
    -- difference, and writes down how far the repricing has come: all of it or, if a record has
    -- changed since it was read, nothing. Answers whether it did.
    create function reprice_step(
      wanted_id text, from_time timestamptz, from_id text, progress json,
      batch json, expectations json, charges json, lane smallint
    ) returns boolean language plpgsql as $$
    declare
      answer json;
    begin
      update reprices r set position_time = p.position_time, position_id = p.position_id,
        records = p.records, changed_records = p.changed_records,
        unpriced_records = p.unpriced_records, models = p.models
      from json_populate_record(null::reprices, progress) p
      where r.request_id = wanted_id and r.position_time = from_time and r.position_id = from_id
        and r.end_time is null;
      if not found then
        raise exception 'repricing % goes on elsewhere', wanted_id;
      end if;
      if batch is not null then
        answer := replace_usage(batch, expectations, charges, null, null, lane);
        if json_array_length(answer -> 'existing') > 0 then
          raise exception using errcode = 'TA001', message = 'a record has changed meanwhile';
        end if;
      end if;
      return true;
    exception
      when sqlstate 'TA001' then
        return false;
    end $$;
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
