import type { Database } from "../database/database.js";
import { invalidFields } from "../errors.js";
import { isValidTimeZone } from "../quota/time-zone.js";
import type { ChangeOrigin } from "./audit.js";
import type { CatalogChanges } from "./changes.js";
import { settingsChange } from "./diff.js";
import { assertEtag } from "./editor.js";
import { etagOf } from "./etag.js";
import { autoProvisionViolations } from "./provision-validation.js";
import { resolveSettings, type Settings, type SettingsValues } from "./settings.js";
import { toSettingsJson } from "./settings-json.js";
import {
  clearSettings,
  readSettings,
  type StoredSettings,
  writeSettings,
} from "./settings-store.js";

/** The settings and what is known of their changes. */
export interface EditedSettings {
  /** As they apply. */
  readonly settings: Omit<Settings, "reservationKey">;
  /** As they were given. */
  readonly values: SettingsValues;
  readonly etag: string;
  /** When one last changed, microseconds since 1970. */
  readonly updateTimeUs: bigint;
}

/** Reads and changes settings. */
export interface SettingsEditor {
  get(): Promise<EditedSettings>;
  /**
   * @param revise - makes what is given of what is given now; what it leaves out gets its default
   * @param etag - "": whatever state they are in
   * @throws DomainError ETAG_MISMATCH, INVALID_FIELD
   */
  update(
    revise: (values: SettingsValues) => SettingsValues,
    etag: string,
    origin: ChangeOrigin,
  ): Promise<EditedSettings>;
}

/** What an editor is made of. */
export interface SettingsEditorParts {
  readonly database: Pick<Database, "knex">;
  readonly changes: CatalogChanges;
}

const RESOURCE = { type: "settings", name: "settings" };

/** Makes an editor. */
export function createSettingsEditor({ database, changes }: SettingsEditorParts): SettingsEditor {
  return {
    get: async () => toEdited(await readSettings(database.knex)),
    update: (revise, etag, origin) =>
      changes.make(origin, async (trx) => {
        const stored = await readSettings(trx);
        assertEtag(RESOURCE, toEdited(stored).etag, etag);
        const before = toSettingsJson(stored.values);
        const wanted = revise(stored.values);
        const violations = autoProvisionViolations(wanted.autoProvision, {
          path: "settings.auto_provision",
          isTimeZone: isValidTimeZone,
        });
        if (violations.length > 0) throw invalidFields(violations);
        const after = toSettingsJson(wanted);
        const change = settingsChange(before, after);
        if (change !== undefined) {
          await writeSettings(trx, wanted);
          await clearSettings(
            trx,
            Object.keys(before).filter((name) => after[name] === undefined),
          );
        }
        return {
          result: toEdited(await readSettings(trx)),
          rows: new Map(change === undefined ? [] : [["settings", null]]),
          changes: change === undefined ? [] : [change],
        };
      }),
  };
}

function toEdited({ values, updateTimeUs }: StoredSettings): EditedSettings {
  const { reservationKey: _, ...settings } = resolveSettings(values, "");
  return { settings, values, updateTimeUs, etag: etagOf(toSettingsJson(values), updateTimeUs) };
}
