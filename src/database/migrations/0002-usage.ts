import type { Knex } from "knex";

/** Usage records, their idempotency keys and payloads, and the sums that are kept of them. */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    -- The idempotency ledger: whoever inserts the key first makes the record. It outlives the
    -- records, so that a late retry is still known.
    create table usage_keys (
      request_id text collate "C" primary key,
      created_time timestamptz not null
    );

    -- One row a request. Money in nano-USD, tokens without cached ones (cache exclusive).
    create table usage_records (
      request_id text collate "C" not null,
      created_time timestamptz not null,
      updated_time timestamptz not null,
      finished_time timestamptz,
      version bigint not null,
      revision bigint not null,
      fingerprint text not null,
      status text not null check (status in ('PENDING', 'STREAMING', 'COMPLETED', 'FAILED')),
      user_id text collate "C" not null,
      api_key_id text collate "C" not null,
      provider text collate "C" not null,
      model text collate "C" not null,
      target_model text not null,
      request_type text not null,
      api_format text collate "C" not null,
      is_stream boolean not null,
      status_code integer not null,
      error_message text not null,
      provider_id text not null,
      provider_endpoint_id text not null,
      provider_api_key_id text not null,
      input_tokens bigint not null check (input_tokens >= 0),
      output_tokens bigint not null check (output_tokens >= 0),
      cache_creation_tokens bigint not null check (cache_creation_tokens >= 0),
      cache_read_tokens bigint not null check (cache_read_tokens >= 0),
      cache_creations jsonb,
      token_convention text not null,
      cache_ttl_minutes integer,
      use_tiered_pricing boolean not null,
      response_time_ms bigint,
      first_byte_time_ms bigint,
      cost_input bigint not null,
      cost_output bigint not null,
      cost_cache_creation bigint not null,
      cost_cache_read bigint not null,
      cost_request bigint not null,
      actual_input bigint not null,
      actual_output bigint not null,
      actual_cache_creation bigint not null,
      actual_cache_read bigint not null,
      actual_request bigint not null,
      rate_multiplier text not null,
      price_version bigint,
      price_tier_index smallint,
      billing_note text not null,
      unknown_subjects text[],
      exclude_from_budgets boolean not null,
      charges jsonb,
      reservation_id text,
      operation_id text not null,
      attempt_number integer,
      is_retried boolean not null,
      tags jsonb,
      metadata jsonb,
      primary key (created_time, request_id)
    ) partition by range (created_time);
    create index usage_records_user on usage_records (user_id, created_time);
    create index usage_records_api_key on usage_records (api_key_id, created_time);
    create index usage_records_active on usage_records (updated_time)
      where status in ('PENDING', 'STREAMING');

    create table usage_payloads (
      request_id text collate "C" not null,
      created_time timestamptz not null,
      request_headers jsonb,
      provider_request_headers jsonb,
      response_headers jsonb,
      request_body jsonb,
      response_body jsonb,
      primary key (created_time, request_id)
    ) partition by range (created_time);

    -- Sums of finished records. All times are UTC. What a grain does not tell is ''.
    --   1 quarter-hour of all dimensions
    --   2 day, 3 month of each user and API key
    --   4 quarter-hour, 5 hour, 6 day, 7 month of each provider, model and API format
    --   8 day, 9 month of each tag, "key=value": a record counts for every tag that it has
    -- In grain 1, tags are all tags of the records, and tag identifies them. Latencies are sketches
    -- (latency_sketch), null in grain 3 and where nothing was measured. slot keeps writers that
    -- commit at the same moment off one row.
    create table usage_rollups (
      grain smallint not null,
      user_id text collate "C" not null,
      bucket_time timestamptz not null,
      api_key_id text collate "C" not null,
      provider text collate "C" not null,
      model text collate "C" not null,
      api_format text collate "C" not null,
      failed boolean not null,
      tag text collate "C" not null,
      slot smallint not null,
      tags jsonb,
      last_time timestamptz not null,
      requests bigint not null,
      attempts bigint not null,
      input_tokens bigint not null,
      output_tokens bigint not null,
      cache_creation_tokens bigint not null,
      cache_read_tokens bigint not null,
      cost_input bigint not null,
      cost_output bigint not null,
      cost_cache_creation bigint not null,
      cost_cache_read bigint not null,
      cost_request bigint not null,
      actual_cost bigint not null,
      response_time_ms_sum bigint not null,
      first_byte_time_ms_sum bigint not null,
      response_times numeric,
      first_byte_times numeric,
      primary key (grain, user_id, bucket_time, api_key_id, provider, model, api_format, failed,
        tag, slot)
    ) partition by list (grain);

    -- Each family of grains lies by itself: quarter-hours are many, and written once or a few times;
    -- the others are few, written often, and read together. A row stays in its page while it fits.
    create table usage_rollups_quarters partition of usage_rollups for values in (1)
      with (fillfactor = 90, toast_tuple_target = 8160);
    create table usage_rollups_users partition of usage_rollups for values in (2, 3)
      with (fillfactor = 60, toast_tuple_target = 8160);
    create table usage_rollups_offerings partition of usage_rollups for values in (4, 5, 6, 7)
      with (fillfactor = 60, toast_tuple_target = 8160);
    create table usage_rollups_tags partition of usage_rollups for values in (8, 9)
      with (fillfactor = 60, toast_tuple_target = 8160);
    -- For questions about all users. Quarter-hours come nearly in the order of time.
    create index usage_rollups_quarters_time on usage_rollups_quarters
      using brin (bucket_time) with (pages_per_range = 16, autosummarize = on);
    create index usage_rollups_users_time on usage_rollups_users (grain, bucket_time);

    -- Lifetime sums. kind: 1 user, 2 API key, 3 provider, 4 model.
    create view subject_totals as
    select s.kind, s.id, sum(r.requests)::bigint as requests,
      sum(r.input_tokens + r.output_tokens + r.cache_creation_tokens + r.cache_read_tokens)::bigint
        as tokens,
      sum(r.cost_input + r.cost_output + r.cost_cache_creation + r.cost_cache_read
        + r.cost_request)::bigint as cost,
      sum(r.actual_cost)::bigint as actual_cost, max(r.last_time) as last_used_time
    from usage_rollups r
    cross join lateral (values
      (3, 1::smallint, r.user_id), (3, 2::smallint, r.api_key_id),
      (7, 3::smallint, r.provider), (7, 4::smallint, r.model)
    ) s (grain, kind, id)
    where r.grain = s.grain and r.grain in (3, 7) and s.id <> ''
    group by s.kind, s.id;
  `);
  await createPartitionFunction(knex);
}

/**
 * Partitions are made by one function, under an advisory lock: two replicas may need the same
 * month at the same moment. They are attached to their parent, which lets its readers and writers
 * go on; `create table … partition of` would wait for all of them, and have the others wait for it.
 */
async function createPartitionFunction(knex: Knex): Promise<void> {
  await knex.raw(`
    create function ensure_usage_partition(month date) returns void language plpgsql as $$
    declare
      parent text;
      name text;
    begin
      perform pg_advisory_xact_lock(hashtext('tally usage partition'));
      foreach parent in array array['usage_records', 'usage_payloads'] loop
        name := format('%s_%s', parent, to_char(month, 'YYYY_MM'));
        if to_regclass(name) is null then
          execute format('create table %I (like %I including all)', name, parent);
          execute format('alter table %I attach partition %I for values from (%L) to (%L)',
            parent, name,
            to_char(month, 'YYYY-MM-01') || ' 00:00:00+00',
            to_char(month + interval '1 month', 'YYYY-MM-01') || ' 00:00:00+00');
        end if;
      end loop;
    end $$;
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
