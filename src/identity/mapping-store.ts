import type { Knex } from "knex";
import type { Role } from "../caller.js";
import type { Database } from "../database/database.js";
import type { CertificateMapping } from "./credential.js";

/** What names in client certificates mean, in the database. */
export interface MappingStore {
  /** Makes the mapping, or replaces the one that its name had. */
  put(mapping: Omit<CertificateMapping, "updateTimeMs">): Promise<CertificateMapping>;
  /** By name. */
  list(query: {
    readonly afterName: string;
    readonly limit: number;
  }): Promise<CertificateMapping[]>;
  /** @returns whether it was there */
  remove(subjectAlternativeName: string): Promise<boolean>;
}

/** A row of certificate_mappings. */
export interface MappingRow {
  readonly subject_alternative_name: string;
  readonly name: string;
  readonly role: string;
  readonly bound_user_id: string | null;
  readonly update_time: Date;
  readonly updated_by: string;
}

/** Makes the store. */
export function createMappingStore({ knex }: Pick<Database, "knex">): MappingStore {
  return {
    async put({ subjectAlternativeName, name, role, boundUserId, updatedBy }) {
      const [stored] = await query(
        knex,
        `insert into certificate_mappings as m
           (subject_alternative_name, name, role, bound_user_id, updated_by)
         values (?, ?, ?, ?, ?)
         on conflict (subject_alternative_name) do update set
           name = excluded.name, role = excluded.role, bound_user_id = excluded.bound_user_id,
           updated_by = excluded.updated_by, update_time = now()
         returning m.*`,
        [subjectAlternativeName, name, role.toUpperCase(), boundUserId ?? null, updatedBy],
      );
      return stored!;
    },
    list: ({ afterName, limit }) =>
      query(
        knex,
        `select * from certificate_mappings where subject_alternative_name > ?
         order by subject_alternative_name limit ?`,
        [afterName, limit],
      ),
    async remove(subjectAlternativeName) {
      const removed = await query(
        knex,
        "delete from certificate_mappings where subject_alternative_name = ? returning *",
        [subjectAlternativeName],
      );
      return removed.length > 0;
    },
  };
}

/** A mapping from its row. */
export function fromMappingRow(row: MappingRow): CertificateMapping {
  return {
    subjectAlternativeName: row.subject_alternative_name,
    name: row.name,
    role: row.role.toLowerCase() as Role,
    boundUserId: row.bound_user_id ?? undefined,
    updateTimeMs: Number(row.update_time),
    updatedBy: row.updated_by,
  };
}

async function query(
  knex: Knex,
  sql: string,
  values: readonly (string | number | null)[],
): Promise<CertificateMapping[]> {
  const { rows } = await knex.raw<{ rows: MappingRow[] }>(sql, values as string[]);
  return rows.map(fromMappingRow);
}
