import type { CatalogTable } from "./catalog-table.js";
import { fromNamesColumn, fromTimeColumn, toNamesColumn, toTimeColumn } from "./column-values.js";
import type { User, UserRole } from "./types.js";

interface UserRow {
  readonly user_id: string;
  readonly email: string;
  readonly username: string;
  readonly role: UserRole;
  readonly active: boolean;
  readonly expire_time: Date | null;
  readonly allowed_models: readonly string[];
  readonly allowed_providers: readonly string[];
}

/** How users are stored. */
export const userTable: CatalogTable<User, UserRow> = {
  name: "users",
  key: "user_id",
  columns: {
    user_id: "text",
    email: "text",
    username: "text",
    role: "text",
    active: "boolean",
    expire_time: "timestamptz",
    allowed_models: "text[]",
    allowed_providers: "text[]",
  },
  toRow: (user) => ({
    user_id: user.userId,
    email: user.email,
    username: user.username,
    role: user.role,
    active: user.active,
    expire_time: toTimeColumn(user.expireTimeMs),
    allowed_models: toNamesColumn(user.allowedModels),
    allowed_providers: toNamesColumn(user.allowedProviders),
  }),
  fromRow: (row) => ({
    userId: row.user_id,
    email: row.email,
    username: row.username,
    role: row.role,
    active: row.active,
    expireTimeMs: fromTimeColumn(row.expire_time),
    allowedModels: fromNamesColumn(row.allowed_models),
    allowedProviders: fromNamesColumn(row.allowed_providers),
  }),
};
