import type { Knex } from "knex";
import type { Role } from "../caller.js";
import type { Database } from "../database/database.js";
import type { Token } from "./credential.js";

/** A token to be stored. */
export interface NewToken
  extends Pick<Token, "tokenId" | "name" | "role" | "boundUserId" | "createdBy" | "expireTimeMs"> {
  /** See `hashSecret`. */
  readonly hash: string;
}

/** What a rotation changes. */
export interface TokenRotation {
  readonly tokenId: string;
  readonly hash: string;
  /** How long the secret that is replaced stays valid. */
  readonly graceMs: number;
  /** Undefined: stays as it is. */
  readonly expireTimeMs: number | undefined;
}

/** Which tokens to list. */
export interface TokenQuery {
  readonly includeRevoked: boolean;
  /** Only those after it. */
  readonly afterTokenId: string;
  readonly limit: number;
}

/** Tokens in the database. */
export interface TokenStore {
  insert(token: NewToken): Promise<Token>;
  /** By token_id, which is the order in which they were made. */
  list(query: TokenQuery): Promise<Token[]>;
  /** @returns undefined when it is not there, or is revoked */
  rotate(rotation: TokenRotation): Promise<Token | undefined>;
  /** Keeps the time of the first revocation. @returns undefined when it is not there */
  revoke(tokenId: string): Promise<Token | undefined>;
  /** Notes that the tokens were used just now. */
  markUsed(tokenIds: readonly string[]): Promise<void>;
}

interface TokenRow {
  readonly token_id: string;
  readonly name: string;
  readonly role: string;
  readonly bound_user_id: string | null;
  readonly create_time: Date;
  readonly created_by: string;
  readonly expire_time: Date | null;
  readonly last_used_time: Date | null;
  readonly previous_expire_time: Date | null;
  readonly revoke_time: Date | null;
}

const COLUMNS = `token_id, name, role, bound_user_id, create_time, created_by, expire_time,
  last_used_time, previous_expire_time, revoke_time`;

/** Makes the store. */
export function createTokenStore({ knex }: Pick<Database, "knex">): TokenStore {
  return {
    async insert(token) {
      const [stored] = await query(
        knex,
        `insert into access_tokens
           (token_id, name, role, bound_user_id, secret_hash, created_by, expire_time)
         values (:tokenId, :name, :role, :boundUserId, decode(:hash, 'hex'), :createdBy,
           :expireTime)
         returning ${COLUMNS}`,
        {
          tokenId: token.tokenId,
          name: token.name,
          role: token.role.toUpperCase(),
          boundUserId: token.boundUserId ?? null,
          hash: token.hash,
          createdBy: token.createdBy,
          expireTime: toTime(token.expireTimeMs),
        },
      );
      return stored!;
    },
    list: ({ includeRevoked, afterTokenId, limit }) =>
      query(
        knex,
        `select ${COLUMNS} from access_tokens
         where token_id > :afterTokenId and (:includeRevoked or revoke_time is null)
         order by token_id limit :limit`,
        { includeRevoked, afterTokenId, limit },
      ),
    async rotate({ tokenId, hash, graceMs, expireTimeMs }) {
      const [rotated] = await query(
        knex,
        `update access_tokens set
           previous_hash = secret_hash,
           previous_expire_time = now() + :graceMs * interval '1 millisecond',
           secret_hash = decode(:hash, 'hex'),
           expire_time = coalesce(:expireTime, expire_time)
         where token_id = :tokenId and revoke_time is null
         returning ${COLUMNS}`,
        { tokenId, hash, graceMs, expireTime: toTime(expireTimeMs) },
      );
      return rotated;
    },
    async revoke(tokenId) {
      const [revoked] = await query(
        knex,
        `update access_tokens set revoke_time = coalesce(revoke_time, now())
         where token_id = :tokenId returning ${COLUMNS}`,
        { tokenId },
      );
      return revoked;
    },
    async markUsed(tokenIds) {
      await knex.raw(
        `with used as (
           select token_id from access_tokens where token_id = any(?) order by token_id for update
         )
         update access_tokens t set last_used_time = greatest(t.last_used_time, now())
         from used where t.token_id = used.token_id`,
        [[...tokenIds]],
      );
    },
  };
}

async function query(
  knex: Knex,
  sql: string,
  values: Readonly<Record<string, string | number | boolean | null>>,
): Promise<Token[]> {
  const { rows } = await knex.raw<{ rows: TokenRow[] }>(sql, values);
  return rows.map(fromRow);
}

function fromRow(row: TokenRow): Token {
  return {
    tokenId: row.token_id,
    name: row.name,
    role: row.role.toLowerCase() as Role,
    boundUserId: row.bound_user_id ?? undefined,
    createTimeMs: Number(row.create_time),
    createdBy: row.created_by,
    expireTimeMs: fromTime(row.expire_time),
    lastUsedTimeMs: fromTime(row.last_used_time),
    previousExpireTimeMs: fromTime(row.previous_expire_time),
    revokeTimeMs: fromTime(row.revoke_time),
  };
}

function fromTime(time: Date | null): number | undefined {
  return time === null ? undefined : Number(time);
}

function toTime(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : new Date(timeMs).toISOString();
}
