import type { Knex } from "knex";
import { readRows, type UnreadableRow } from "./catalog-table.js";
import type { SettingsValues } from "./settings.js";
import { fromSettingJson, toSettingsJson } from "./settings-json.js";

/** The settings table. */
export interface StoredSettings {
  readonly values: SettingsValues;
  /** Secret that signs reservation ids. */
  readonly reservationKey: string;
  /** When one last changed, microseconds since 1970. */
  readonly updateTimeUs: bigint;
  readonly unreadable: readonly UnreadableRow[];
}

interface SettingRow {
  readonly key: string;
  readonly value: unknown;
  /** When any of them last changed. */
  readonly update_time_us: bigint;
}

/** Reads all settings; one that cannot be read counts as not given. */
export async function readSettings(knex: Knex): Promise<StoredSettings> {
  const { rows } = await knex.raw<{ rows: SettingRow[] }>(
    `select key, value, (extract(epoch from max(update_time) over ()) * 1000000)::bigint as update_time_us
     from settings`,
  );
  const { entries, unreadable } = readRows(
    rows,
    ({ key, value }) => fromSettingJson(key, value),
    ({ key }) => ({ table: "settings", id: key }),
  );
  const values: SettingsValues = Object.assign({}, ...entries);
  const reservationKey = rows.find(({ key }) => key === "reservation_key")?.value;
  return {
    values,
    reservationKey: String(reservationKey ?? ""),
    updateTimeUs: rows[0]?.update_time_us ?? 0n,
    unreadable,
  };
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

/** Forgets settings, so that they have their defaults again. The key of reservations is none. */
export async function clearSettings(knex: Knex, names: readonly string[]): Promise<void> {
  if (names.length === 0) return;
  await knex.raw("delete from settings where key = any(?) and key <> 'reservation_key'", [
    [...names],
  ]);
}
