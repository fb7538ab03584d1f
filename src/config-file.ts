import { readFileSync } from "node:fs";
import { isMap, isScalar, LineCounter, parseDocument, type YAMLMap } from "yaml";
import { showValue } from "./ascii.js";
import { SETTINGS } from "./config-settings.js";
import { nearest } from "./nearest.js";

/** What a configuration file says, as texts that mean what they would mean in a variable. */
export interface ConfigFile {
  /** As it was named. */
  readonly path: string;
  readonly values: ReadonlyMap<string, FileValue>;
  /** One line each: what cannot be read, and keys that are none. */
  readonly problems: readonly string[];
}

/** One value of a configuration file. */
export interface FileValue {
  readonly text: string;
  /** "tally.yaml:3", for people. */
  readonly place: string;
}

/** The key of a setting in a configuration file: "log_level" for TALLY_LOG_LEVEL. */
export function fileKeyOf(name: string): string {
  return name.replace(/^TALLY_/, "").toLowerCase();
}

/** Reads a configuration file; whatever is wrong with it is among its problems. */
export function readConfigFile(path: string): ConfigFile {
  try {
    return parseConfigFile(path, readFileSync(path, "utf8"));
  } catch (error) {
    const problem = `${path}: cannot be read: ${(error as Error).message}`;
    return { path, values: new Map(), problems: [problem] };
  }
}

/** Reads the text of a configuration file. Pure. */
export function parseConfigFile(path: string, text: string): ConfigFile {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, stringKeys: true });
  const placeAt = (offset: number) => `${path}:${lines.linePos(offset).line}`;
  // Without the excerpt of the file that follows: it may hold a password.
  const broken = document.errors.map(
    ({ message, pos }) => `${placeAt(pos[0])}: ${message.split(" at line ")[0]}`,
  );
  if (broken.length > 0) return { path, values: new Map(), problems: broken };
  if (document.contents === null) return { path, values: new Map(), problems: [] };
  if (!isMap(document.contents)) {
    const problem = `${path}: must be settings, one a line, such as "log_level: info"`;
    return { path, values: new Map(), problems: [problem] };
  }
  return { path, ...readEntries(document.contents, placeAt) };
}

function readEntries(map: YAMLMap, placeAt: (offset: number) => string) {
  const known = Object.values(SETTINGS).map(({ name }) => fileKeyOf(name));
  const values = new Map<string, FileValue>();
  const problems: string[] = [];
  for (const { key, value } of map.items) {
    const { value: name, range } = key as { value: string; range?: [number, number, number] };
    const place = placeAt(range?.[0] ?? 0);
    if (!known.includes(name)) {
      problems.push(`${place}: ${unknownKey(name, known)}`);
    } else if (value !== null && !isScalar(value)) {
      problems.push(`${place}: ${name}: must be a single value, not a list or mapping`);
    } else {
      values.set(name, { text: textOf(value), place });
    }
  }
  return { values, problems };
}

/** As it stands in the file, since "1.50s" and 007 mean what they would mean in a variable. */
function textOf(value: unknown): string {
  if (!isScalar(value) || value.value === null) return "";
  return typeof value.value === "string" ? value.value : (value.source ?? String(value.value));
}

function unknownKey(key: string, known: readonly string[]): string {
  const inverse = fileKeyOf(key);
  const suggestion = known.includes(inverse) ? inverse : nearest(inverse, known);
  const hint = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
  return `${showValue(key)} is no setting${hint}`;
}

/** The setting whose variable was most likely meant; undefined when none is near. */
export function nameOfNearestSetting(name: string): string | undefined {
  return nearest(
    name,
    Object.values(SETTINGS).map((setting) => setting.name),
  );
}
