import { showValue } from "./ascii.js";
import { fileKeyOf, readConfigFile } from "./config-file.js";
import type { Setting } from "./config-setting.js";
import { SETTINGS } from "./config-settings.js";

/** The variables of a process, `process.env` for instance. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a setting's value comes from, the strongest first. */
export type SettingSource = "environment" | "file" | "default" | "unset";

/** The key of a setting in {@link SETTINGS}. */
export type SettingKey = keyof typeof SETTINGS;

/** One setting as it holds. */
export interface EffectiveSetting {
  readonly key: SettingKey;
  readonly setting: Setting<unknown>;
  readonly source: SettingSource;
  /** Where people find it: "TALLY_LOG_LEVEL", "tally.yaml:3: log_level". */
  readonly place: string;
  /** As it was written; undefined: nothing holds. */
  readonly text: string | undefined;
  /** What the text means; undefined also when it is not allowed. */
  readonly value: unknown;
}

/** All settings, and what is wrong with those that are not allowed. */
export interface EffectiveSettings {
  readonly settings: readonly EffectiveSetting[];
  /** One line each. */
  readonly problems: readonly string[];
}

/** The variable that names the configuration file. */
export const CONFIG_FILE_VARIABLE = "TALLY_CONFIG";

/**
 * Reads every setting: from its variable, else from the file that `TALLY_CONFIG` names, else from
 * its default. An empty variable or value counts as unset.
 */
export function readSettings(env: Environment): EffectiveSettings {
  const path = env[CONFIG_FILE_VARIABLE];
  const file = path ? readConfigFile(path) : undefined;
  const problems = [...(file?.problems ?? [])];
  const entries = Object.entries(SETTINGS) as [SettingKey, Setting<unknown>][];
  const settings = entries.map(([key, setting]) => {
    const found = findText(setting, env, file?.values);
    if (found.text === undefined) return { key, setting, ...found, value: undefined };
    const value = setting.kind.parse(found.text);
    if (value === undefined) {
      const shown = (setting.kind.show ?? showValue)(found.text);
      problems.push(`${found.place}: must be ${setting.kind.allowed} (was ${shown})`);
    }
    return { key, setting, ...found, value };
  });
  return { settings, problems };
}

function findText(
  { name, default: usual }: Setting<unknown>,
  env: Environment,
  file: ReturnType<typeof readConfigFile>["values"] | undefined,
): Pick<EffectiveSetting, "source" | "place" | "text"> {
  if (env[name]) return { source: "environment", place: name, text: env[name] };
  const key = fileKeyOf(name);
  const given = file?.get(key);
  if (given?.text) return { source: "file", place: `${given.place}: ${key}`, text: given.text };
  return { source: usual === undefined ? "unset" : "default", place: name, text: usual };
}
