import type { Knex } from "knex";
import { readRows, type UnreadableRow } from "./catalog-table.js";
import type { SettingsValues } from "./settings.js";
import { fromSettingJson, toSettingsJson } from "./settings-json.js";

/** The settings table. */
export interface StoredSettings {
  readonly values: SettingsValues;
  /** Secret that signs reservation ids. */
  readonly reservationKey: string;
  readonly unreadable: readonly UnreadableRow[];
}

interface SettingRow {
  readonly key: string;
  readonly value: unknown;
}

/** Reads all settings; one that cannot be read counts as not given. */
export async function readSettings(knex: Knex): Promise<StoredSettings> {
  const { rows } = await knex.raw<{ rows: SettingRow[] }>("select key, value from settings");
  const { entries, unreadable } = readRows(
    rows,
    ({ key, value }) => fromSettingJson(key, value),
    ({ key }) => ({ table: "settings", id: key }),
  );
  const values: SettingsValues = Object.assign({}, ...entries);
  const reservationKey = rows.find(({ key }) => key === "reservation_key")?.value;
  return { values, reservationKey: String(reservationKey ?? ""), unreadable };
}

/** Writes the settings that are given and leaves the others as they are. */
export async function writeSettings(knex: Knex, values: SettingsValues): Promise<void> {
  const rows = Object.entries(toSettingsJson(values)).map(([key, value]) => ({ key, value }));
  if (rows.length === 0) return;
  await knex.raw(
    `insert into settings as t (key, value)
     select key, value from json_to_recordset(?::json) as w (key text, value jsonb)
     order by key
     on conflict (key) do update set value = excluded.value, update_time = now()
       where t.value is distinct from excluded.value`,
    [JSON.stringify(rows)],
  );
}
