/**
 * Writes docs/configuration.md from the table of settings; `--check` only compares, and fails
 * when the file is not what would be written.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { fileKeyOf } from "../src/config-file.js";
import type { Setting } from "../src/config-setting.js";
import { SETTINGS } from "../src/config-settings.js";

const INTRODUCTION = `# Configuration

Settings come from environment variables and from a YAML file, which \`--config FILE\` or
\`TALLY_CONFIG\` names. A variable wins over the file, and the file over the default. An empty
value counts as unset.

In the file, a setting has the name of its variable in lower case without \`TALLY_\`:

\`\`\`yaml
log_level: debug
shutdown_grace: 30s
database_url: postgres://tally@db:5432/tally
\`\`\`

Tally checks all settings when it starts and names every one that is not allowed, with its line in
the file. A key of the file that is no setting is refused; a variable that begins with \`TALLY_\`
and is none is reported in the log, since it is most likely misspelt. \`tally config check\` does
the same without starting anything: it prints every setting as it holds and where it comes from,
without secrets, and exits with 1 when something is wrong. Keep passwords out of a file that others
can read.

This page is generated from \`src/config*-settings.ts\` by \`scripts/config-docs.ts\`.
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
    `- In a file: ${code(fileKeyOf(name))}`,
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
