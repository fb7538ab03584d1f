import type { Knex } from "knex";

/** The functions that write records and post what they move; lock order as in posting. */
export async function up(knex: Knex): Promise<void> {
  await createBlankRecord(knex);
  await createRecordUsage(knex);
  await createReplaceUsage(knex);
}

/**
 * What most records say the same. It is left out of the JSON of a batch, since to read a member takes
 * a third of a microsecond.
 */
async function createBlankRecord(knex: Knex): Promise<void> {
  await knex.raw(`
    create function blank_usage_record() returns usage_records language sql immutable as $$
      select json_populate_record(null::usage_records, '{
        "revision": 1, "status": "COMPLETED", "user_id": "", "api_key_id": "", "provider": "",
        "target_model": "", "request_type": "chat", "api_format": "", "is_stream": false,
        "status_code": 200, "error_message": "", "provider_id": "", "provider_endpoint_id": "",
        "provider_api_key_id": "", "input_tokens": 0, "output_tokens": 0,
        "cache_creation_tokens": 0, "cache_read_tokens": 0, "token_convention": "",
        "use_tiered_pricing": true, "cost_input": 0, "cost_output": 0, "cost_cache_creation": 0,
        "cost_cache_read": 0, "cost_request": 0, "actual_input": 0, "actual_output": 0,
        "actual_cache_creation": 0, "actual_cache_read": 0, "actual_request": 0,
        "rate_multiplier": "1", "billing_note": "NONE", "exclude_from_budgets": false,
        "operation_id": "", "is_retried": false}')
    $$;
  `);
}

/** First writing of records. Those whose key is taken are left alone, and named in the answer. */
async function createRecordUsage(knex: Knex): Promise<void> {
  await knex.raw(`
    create function store_payloads(payloads json, stored text[]) returns void
    language sql as $$
      insert into usage_payloads as p
      select n.* from json_populate_recordset(null::usage_payloads, payloads) n
      where n.request_id = any(stored)
      order by n.created_time, n.request_id
      on conflict (created_time, request_id) do update set
        request_headers = coalesce(excluded.request_headers, p.request_headers),
        provider_request_headers =
          coalesce(excluded.provider_request_headers, p.provider_request_headers),
        response_headers = coalesce(excluded.response_headers, p.response_headers),
        request_body = coalesce(excluded.request_body, p.request_body),
        response_body = coalesce(excluded.response_body, p.response_body)
    $$;

    -- charges and holds are arrays of {request_id, …}; only those of records that this call
    -- finishes are posted. What goes back for revised records is posted in the same step, so that
    -- a period's spent never shows only half of a revision.
    create function post_charges_of(
      returned budget_charge[], finished text[], charges json, holds json
    ) returns json language sql as $$
      select post_charges(
        returned || (select array_agg(row(c.budget_id, c.period_start, c.amount)::budget_charge)
          from json_to_recordset(charges) as c (
            request_id text, budget_id text, period_start timestamptz, amount bigint)
          where c.request_id = any(finished)),
        (select array_agg(row(h.reservation_id, h.expire_time, h.lease_id, h.budget_id,
            h.period_start, h.held)::reservation_hold)
          from json_to_recordset(holds) as h (
            request_id text, reservation_id uuid, expire_time timestamptz, lease_id bigint,
            budget_id text, period_start timestamptz, held bigint)
          where h.request_id = any(finished)))
    $$;

    create function record_usage(
      batch json, charges json, holds json, payloads json, lane smallint
    ) returns json language plpgsql as $$
    declare
      wanted text[];
      stored text[];
      finished text[];
      movements usage_movement[];
      posted json;
    begin
      with input as materialized (
        select * from json_populate_recordset(blank_usage_record(), batch)
      ), claimed as (
        insert into usage_keys (request_id, created_time)
        select i.request_id, i.created_time from input i order by i.request_id
        on conflict (request_id) do nothing
        returning request_id
      ), created as (
        insert into usage_records
        select i.* from input i where i.request_id in (select request_id from claimed)
        returning usage_records.*
      )
      select (select array_agg(i.request_id) from input i),
        array_agg(c.request_id),
        array_agg(c.request_id) filter (where c.status in ('COMPLETED', 'FAILED')),
        array_agg(usage_movement_of(c, 1)) filter (where c.status in ('COMPLETED', 'FAILED'))
      into wanted, stored, finished, movements
      from created c;

      if payloads is not null then
        perform store_payloads(payloads, stored);
      end if;
      if movements is not null then
        perform post_movements(movements, lane);
      end if;
      if finished is not null and (charges is not null or holds is not null) then
        posted := post_charges_of(null, finished, charges, holds);
      end if;
      return json_build_object(
        'posted', posted,
        'existing', array(select unnest(wanted) except select unnest(stored)));
    end $$;
  `);
}

/**
 * Replaces records that are there: an unfinished one by its completion, a finished one by its
 * revision. Each names the version that it was decided on; one that has moved since is left alone
 * and named in the answer, for the caller to decide again.
 */
async function createReplaceUsage(knex: Knex): Promise<void> {
  await knex.raw(`
    create function replace_usage(
      batch json, expectations json, charges json, holds json, payloads json, lane smallint
    ) returns json language plpgsql as $$
    declare
      wanted text[];
      replaced usage_records[];
      stored text[];
      finished text[];
      movements usage_movement[];
      new_movements usage_movement[];
      returned budget_charge[];
      posted json;
    begin
      select array_agg(e.request_id) into wanted
      from json_to_recordset(expectations) as e (request_id text);
      perform 1 from usage_keys where request_id = any(wanted) order by request_id for update;

      with deleted as (
        delete from usage_records r
        using usage_keys k,
          json_to_recordset(expectations) as e (request_id text, version bigint)
        where k.request_id = e.request_id and r.request_id = k.request_id
          and r.created_time = k.created_time and r.version = e.version
        returning r.*
      )
      select array_agg(d::usage_records), array_agg(d.request_id),
        array_agg(usage_movement_of(d::usage_records, -1))
          filter (where d.status in ('COMPLETED', 'FAILED'))
      into replaced, stored, movements
      from deleted d;

      with created as (
        insert into usage_records
        select i.* from json_populate_recordset(blank_usage_record(), batch) i
        where i.request_id = any(stored)
        returning usage_records.*
      ), moved as (
        update usage_keys k set created_time = c.created_time from created c
        where k.request_id = c.request_id and k.created_time <> c.created_time
      )
      select array_agg(c.request_id) filter (where c.status in ('COMPLETED', 'FAILED')),
        array_agg(usage_movement_of(c, 1)) filter (where c.status in ('COMPLETED', 'FAILED'))
      into finished, new_movements
      from created c;

      -- A payload follows its record to the month that the record is in now.
      update usage_payloads p set created_time = k.created_time
      from unnest(replaced) o join usage_keys k on k.request_id = o.request_id
      where p.request_id = o.request_id and p.created_time = o.created_time
        and k.created_time <> o.created_time;
      if payloads is not null then
        perform store_payloads(payloads, stored);
      end if;
      if movements is not null or new_movements is not null then
        perform post_movements(movements || new_movements, lane);
      end if;
      select array_agg(row(c.budget_id, c.period_start, -c.amount)::budget_charge) into returned
      from unnest(replaced) o, jsonb_to_recordset(o.charges) as c (
        budget_id text, period_start timestamptz, amount bigint)
      where o.status in ('COMPLETED', 'FAILED');
      posted := post_charges_of(returned, finished, charges, holds);
      return json_build_object(
        'posted', posted,
        'existing', array(select unnest(wanted) except select unnest(stored)));
    end $$;
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
