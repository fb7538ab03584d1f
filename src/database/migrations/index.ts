import type { Knex } from "knex";
import * as catalog from "./0001-catalog.js";
import * as usage from "./0002-usage.js";
import * as quota from "./0003-quota.js";
import * as posting from "./0004-posting.js";
import * as recording from "./0005-recording.js";
import * as leases from "./0006-leases.js";
import * as audit from "./0007-audit.js";
import * as lifecycle from "./0008-lifecycle.js";
import * as retention from "./0009-retention.js";
import * as reprice from "./0010-reprice.js";
import * as alerts from "./0011-alerts.js";
import * as identity from "./0013-identity.js";

/** Every migration by its name, in order. A released one is never edited; a change is a new one. */
const migrations: Readonly<Record<string, Knex.Migration>> = {
  "0001-catalog": catalog,
  "0002-usage": usage,
  "0003-quota": quota,
  "0004-posting": posting,
  "0005-recording": recording,
  "0006-leases": leases,
  "0007-audit": audit,
  "0008-lifecycle": lifecycle,
  "0009-retention": retention,
  "0010-reprice": reprice,
  "0011-alerts": alerts,
  "0013-identity": identity,
};

/** Hands the migrations to Knex as modules: they run the same from sources and compiled. */
export const migrationSource: Knex.MigrationSource<string> = {
  getMigrations: async () => Object.keys(migrations),
  getMigrationName: (name) => name,
  getMigration: async (name) => migrations[name]!,
};
