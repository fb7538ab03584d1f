import type { Knex } from "knex";

/**
 * Who may call: tokens by the SHA-256 of their secrets, and what names in client certificates mean.
 * Every change but that of last_used_time is announced on the channel `tally_identity`.
 */
export async function up(knex: Knex): Promise<void> {
  await knex.raw(`
    create table access_tokens (
      token_id text collate "C" primary key,
      name text not null,
      role text not null check (role in ('GATEWAY', 'ANALYST', 'OPERATOR', 'ADMIN')),
      bound_user_id text collate "C" check (bound_user_id is null or role = 'ANALYST'),
      secret_hash bytea not null unique check (length(secret_hash) = 32),
      -- The secret before the present one, for as long as it stays valid.
      previous_hash bytea unique check (length(previous_hash) = 32),
      previous_expire_time timestamptz,
      create_time timestamptz not null default now(),
      created_by text not null,
      expire_time timestamptz,
      last_used_time timestamptz,
      revoke_time timestamptz,
      check ((previous_hash is null) = (previous_expire_time is null))
    );

    create table certificate_mappings (
      subject_alternative_name text collate "C" primary key,
      name text not null,
      role text not null check (role in ('GATEWAY', 'ANALYST', 'OPERATOR', 'ADMIN')),
      bound_user_id text collate "C" check (bound_user_id is null or role = 'ANALYST'),
      update_time timestamptz not null default now(),
      updated_by text not null
    );

    create function notify_identity_change() returns trigger language plpgsql as $$
    begin
      perform pg_notify('tally_identity', '');
      return null;
    end $$;

    create trigger notify_change
      after insert or delete or truncate or update of token_id, name, role, bound_user_id,
        secret_hash, previous_hash, previous_expire_time, expire_time, revoke_time
      on access_tokens for each statement execute function notify_identity_change();
    create trigger notify_change
      after insert or update or delete or truncate
      on certificate_mappings for each statement execute function notify_identity_change();
  `);
}

/** Never run: a ledger is not migrated backwards. */
export async function down(): Promise<void> {}
