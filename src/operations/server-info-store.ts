import type { Database } from "../database/database.js";

/** What the database tells about itself. */
export interface ServerInfoStore {
  /** Version of the PostgreSQL server: "18.4". */
  readDatabaseVersion(): Promise<string>;
}

/** Makes the store. */
export function createServerInfoStore({ knex }: Pick<Database, "knex">): ServerInfoStore {
  return {
    async readDatabaseVersion() {
      const { rows } = await knex.raw("show server_version");
      return rows[0].server_version as string;
    },
  };
}
