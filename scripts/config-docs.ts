/**
 * Writes docs/configuration.md from the table of settings; `--check` only compares, and fails
 * when the file is not what would be written.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { SETTINGS, type Setting } from "../src/config-settings.js";

const INTRODUCTION = `# Configuration

Settings are environment variables; an empty one counts as unset. Tally checks all of them when
it starts and names every one that is not allowed. A variable that begins with \`TALLY_\` and is
not in this list is reported in the log, since it is most likely misspelt.

This page is generated from \`src/config-settings.ts\` by \`scripts/config-docs.ts\`.
`;

/** The text of docs/configuration.md. */
export function renderConfigDocs(settings: readonly Setting<unknown>[]): string {
  const overview = settings.map(({ name, default: value }) => `| ${code(name)} | ${code(value)} |`);
  return [
    INTRODUCTION,
    ["| setting | default |", "| --- | --- |", ...overview, ""].join("\n"),
    ...settings.map(describeSetting),
  ].join("\n");
}

function describeSetting({ name, default: value, kind, doc }: Setting<unknown>): string {
  const unit = kind.unit === undefined ? "" : ` ${kind.unit}`;
  const facts = [
    `- Default: ${value === undefined ? "unset" : `${code(value)}${unit}`}`,
    `- Allowed: ${kind.allowed}`,
  ];
  return `## ${name}\n\n${doc}\n\n${facts.join("\n")}\n`;
}

function code(text: string | undefined): string {
  return text === undefined ? "" : `\`${text}\``;
}

async function main(args: readonly string[]): Promise<void> {
  const path = new URL("../docs/configuration.md", import.meta.url);
  const text = renderConfigDocs(Object.values(SETTINGS));
  if (!args.includes("--check")) return writeFile(path, text);
  const current = await readFile(path, "utf8").catch(() => "");
  if (current === text) return;
  console.error("docs/configuration.md is not up to date: run npx tsx scripts/config-docs.ts");
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
