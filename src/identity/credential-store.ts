import type { Role } from "../caller.js";
import type { Transaction } from "../database/database.js";
import type { Credentials, SecretEntry } from "./credential.js";
import { fromMappingRow, type MappingRow } from "./mapping-store.js";

interface SecretRow {
  readonly hash: string;
  readonly token_id: string;
  readonly name: string;
  readonly role: string;
  readonly bound_user_id: string | null;
  readonly expire_time: Date | null;
}

/** Everything by which callers are known at one moment: no revoked token, but expired ones. */
export async function readCredentials(trx: Transaction): Promise<Credentials> {
  const secrets = await trx.raw<{ rows: SecretRow[] }>(`
    select encode(secret_hash, 'hex') as hash, token_id, name, role, bound_user_id, expire_time
    from access_tokens where revoke_time is null
    union all
    select encode(previous_hash, 'hex'), token_id, name, role, bound_user_id,
      least(previous_expire_time, expire_time)
    from access_tokens where revoke_time is null and previous_hash is not null`);
  const mappings = await trx.raw<{ rows: MappingRow[] }>("select * from certificate_mappings");
  return { secrets: secrets.rows.map(toEntry), mappings: mappings.rows.map(fromMappingRow) };
}

function toEntry(row: SecretRow): SecretEntry {
  return {
    hash: row.hash,
    tokenId: row.token_id,
    name: row.name,
    role: row.role.toLowerCase() as Role,
    boundUserId: row.bound_user_id ?? undefined,
    expireTimeMs: row.expire_time === null ? Number.POSITIVE_INFINITY : Number(row.expire_time),
  };
}
