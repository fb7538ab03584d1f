import type { Command } from "commander";
import { ConfigError, checkConfig, unknownSettings } from "../config.js";
import { nameOfNearestSetting } from "../config-file.js";
import type { EffectiveSetting } from "../config-sources.js";
import { type ConfigOptions, configOption, environmentOf } from "./config-option.js";

/** `tally config ...`: what the settings are. */
export function registerConfigCommands(program: Command): void {
  const group = program.command("config").description("look at the settings");
  group
    .command("check")
    .description("show every setting as it holds, and all that is wrong; exits with 1 then")
    .addOption(configOption())
    .action(check);
}

function check(options: ConfigOptions): void {
  const environment = environmentOf(options);
  const { settings, problems } = checkConfig(environment);
  process.stdout.write(renderSettings(settings));
  for (const name of unknownSettings(environment)) {
    const near = nameOfNearestSetting(name);
    const hint = near === undefined ? "" : `; did you mean ${near}?`;
    process.stderr.write(`warning: ${name} is no setting${hint}\n`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
}

/** A line for each setting: its name, its value without secrets, and where that comes from. */
export function renderSettings(settings: readonly EffectiveSetting[]): string {
  const rows = settings.map(({ setting, ...effective }) => [
    setting.name,
    shownValue({ setting, ...effective }),
    effective.source === "file" ? effective.place.replace(/: \w+$/, "") : effective.source,
  ]);
  const widths = [0, 1].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  const toLine = ([name = "", value = "", source = ""]: string[]) =>
    `${name.padEnd(widths[0]!)}  ${value.padEnd(widths[1]!)}  ${source}`;
  return `${rows.map(toLine).join("\n")}\n`;
}

function shownValue({ setting: { kind }, text, value }: EffectiveSetting): string {
  if (text === undefined) return "-";
  // What is wrong may hold a secret anywhere; the problem shows what can be shown.
  if (value === undefined) return "(not allowed)";
  return kind.mask?.(text) ?? text;
}
