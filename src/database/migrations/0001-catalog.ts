import type { Knex } from "knex";

/**
 * The catalog: who may spend, on what, at which prices, within which budgets. Ids are text as the
 * gateway gives them, compared by bytes (collation "C"), so that every replica and every server
 * sorts them alike: rows are locked in that order.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table users (
      user_id text collate "C" primary key,
      email text not null default '',
      username text not null default '',
      role text not null default 'USER' check (role in ('USER', 'ADMIN')),
      active boolean not null default true,
      expire_time timestamptz,
      allowed_models text[] not null default '{}',
      allowed_providers text[] not null default '{}',
      create_time timestamptz not null default now(),
      update_time timestamptz not null default now()
    );

    create table api_keys (
      api_key_id text collate "C" primary key,
      user_id text collate "C" not null default '',
      kind text not null default 'ORDINARY' check (kind in ('ORDINARY', 'STANDALONE')),
      name text not null default '',
      active boolean not null default true,
      expire_time timestamptz,
      allowed_models text[] not null default '{}',
      allowed_providers text[] not null default '{}',
      create_time timestamptz not null default now(),
      update_time timestamptz not null default now()
    );
    create index api_keys_user_id on api_keys (user_id);

    create table providers (
      provider text collate "C" primary key,
      display_name text not null default '',
      active boolean not null default true,
      billing_type text not null default 'PAY_AS_YOU_GO'
        check (billing_type in ('PAY_AS_YOU_GO', 'MONTHLY_QUOTA', 'FREE_TIER')),
      failed_request_billing text not null default 'USAGE'
        check (failed_request_billing in ('USAGE', 'NONE', 'PROMPT_ONLY')),
      create_time timestamptz not null default now(),
      update_time timestamptz not null default now()
    );

    create table provider_endpoints (
      provider_endpoint_id text collate "C" primary key,
      provider text collate "C" not null,
      base_url text not null default '',
      api_format text not null default '',
      active boolean not null default true,
      request_timeout_ms bigint,
      create_time timestamptz not null default now(),
      update_time timestamptz not null default now()
    );

    create table provider_keys (
      provider_key_id text collate "C" primary key,
      provider text collate "C" not null,
      provider_endpoint_id text collate "C" not null default '',
      name text not null default '',
      rate_multiplier text not null default '1',
      active boolean not null default true,
      create_time timestamptz not null default now(),
      update_time timestamptz not null default now()
    );

    create table models (
      model text collate "C" primary key,
      display_name text not null default '',
      active boolean not null default true,
      create_time timestamptz not null default now(),
      update_time timestamptz not null default now()
    );

    -- Counts every change of every price, so that a version names one content for ever.
    create sequence price_version_number;

    -- provider '' is the global price of the model.
    create table model_prices (
      model text collate "C" not null,
      provider text collate "C" not null default '',
      effective_time timestamptz not null default '0001-01-01 00:00:00+00',
      price jsonb not null,
      source text not null default 'operator',
      version bigint not null default nextval('price_version_number'),
      create_time timestamptz not null default now(),
      update_time timestamptz not null default now(),
      primary key (model, provider, effective_time)
    );

    -- Every content that a price ever had. Usage records point here instead of carrying a copy.
    create table price_versions (
      version bigint primary key,
      model text collate "C" not null,
      provider text collate "C" not null,
      effective_time timestamptz not null,
      price jsonb not null,
      create_time timestamptz not null default now()
    );

    create function keep_price_version() returns trigger language plpgsql as $$
    begin
      if tg_op = 'UPDATE' then
        new.version := nextval('price_version_number');
      end if;
      insert into price_versions (version, model, provider, effective_time, price)
      values (new.version, new.model, new.provider, new.effective_time, new.price);
      return new;
    end $$;
    create trigger keep_price_version before insert or update on model_prices
      for each row execute function keep_price_version();

    create table budgets (
      budget_id text collate "C" primary key,
      scope text not null check (scope in ('USER', 'API_KEY', 'PROVIDER', 'MODEL', 'TAG', 'GLOBAL')),
      subject text collate "C" not null default '',
      measure text not null default 'COST' check (measure in ('COST', 'TOKENS', 'REQUESTS')),
      limit_amount bigint check (limit_amount >= 0),
      window_kind text not null default 'LIFETIME'
        check (window_kind in ('LIFETIME', 'DAY', 'WEEK', 'MONTH', 'EVERY_N_DAYS')),
      window_time_zone text not null default 'UTC',
      window_days integer check (window_days > 0),
      window_anchor timestamptz,
      enforcement text not null default 'HARD' check (enforcement in ('HARD', 'SOFT')),
      alert_percents integer[] not null default '{}',
      expire_time timestamptz,
      on_unavailable text not null default 'DENY' check (on_unavailable in ('DENY', 'ALLOW')),
      active boolean not null default true,
      create_time timestamptz not null default now(),
      update_time timestamptz not null default now()
    );
    create index budgets_subject on budgets (scope, subject);

    -- What the figures of deleted budgets mean: they stay, and so does their meaning.
    create table retired_budgets (
      budget_id text collate "C" primary key,
      scope text not null,
      subject text collate "C" not null,
      measure text not null,
      delete_time timestamptz not null default now()
    );
    create function keep_budget_meaning() returns trigger language plpgsql as $$
    begin
      insert into retired_budgets (budget_id, scope, subject, measure)
      values (old.budget_id, old.scope, old.subject, old.measure)
      on conflict (budget_id) do update set delete_time = excluded.delete_time;
      return old;
    end $$;
    create trigger keep_budget_meaning after delete on budgets
      for each row execute function keep_budget_meaning();

    create table settings (
      key text collate "C" primary key,
      value jsonb not null,
      update_time timestamptz not null default now()
    );
    -- Signs reservation ids, so that no caller can make one up. Two random UUIDs: 244 bits.
    insert into settings (key, value)
    values ('reservation_key', to_jsonb(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', '')));
  `);
  await createCatalogNotifications(knex);
}

const NOTIFIED_TABLES: Record<string, string> = {
  users: "user_id",
  api_keys: "api_key_id",
  providers: "provider",
  provider_endpoints: "provider_endpoint_id",
  provider_keys: "provider_key_id",
  models: "model",
  model_prices: "model",
  budgets: "budget_id",
  settings: "key",
};

/**
 * Every change of a catalog table is announced on the channel `tally_catalog` as
 * `{"table": …, "ids": [… ] | null}`; null when they are too many to name (a payload holds 8,000
 * bytes), which means: read the table again.
 */
async function createCatalogNotifications(knex: Knex): Promise<void> {
  await knex.raw(`
    create function notify_catalog_change() returns trigger language plpgsql as $$
    declare
      ids jsonb;
    begin
      execute format('select jsonb_agg(distinct %I) from changed', tg_argv[0]) into ids;
      if ids is null then
        return null;
      end if;
      perform pg_notify('tally_catalog', jsonb_build_object(
        'table', tg_table_name,
        'ids', case when length(ids::text) < 4000 then ids end)::text);
      return null;
    end $$;
  `);
  for (const [table, id] of Object.entries(NOTIFIED_TABLES)) {
    for (const [event, transition] of [
      ["insert", "new"],
      ["update", "new"],
      ["delete", "old"],
    ]) {
      await knex.raw(`
        create trigger notify_${event} after ${event} on ${table}
          referencing ${transition} table as changed
          for each statement execute function notify_catalog_change('${id}')`);
    }
  }
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
