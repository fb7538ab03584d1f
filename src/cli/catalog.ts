import { readFile } from "node:fs/promises";
import { type Command, Option } from "commander";
import { Catalog } from "../../gen/tally/v1/catalog_pb.js";
import { RpcError } from "../client/grpc-client.js";
import { type CatalogFile, readCatalogFile } from "./catalog-file/catalog-file.js";
import { CatalogFileError, formatProblems } from "./catalog-file/problem.js";
import { renderApplied, renderImported } from "./catalog-report.js";
import { CommandError } from "./command-error.js";
import { addServerOptions, type ServerOptions, withClient } from "./server-options.js";
import { createStyle, type StyleTarget } from "./style.js";

/** Where a command writes what it has to say. */
export interface CommandOutput extends StyleTarget {
  write(text: string): unknown;
}

interface CallOptions extends ServerOptions {
  readonly dryRun: boolean;
}

interface ImportOptions extends CallOptions {
  readonly provider: string[];
  readonly showSkipped: boolean;
}

/** A document of 100,000 users takes some seconds. */
const TIMEOUT_MS = 120_000;

/** `tally catalog …`: says to a running server who may spend, on what, and at which prices. */
export function registerCatalogCommands(
  program: Command,
  output: CommandOutput = process.stdout,
): void {
  const catalog = program
    .command("catalog")
    .description("say who may spend, on what and at which prices, to a running server");
  addServerOptions(catalog.command("apply"))
    .description("make the catalog what a YAML document says, and leave the rest of it alone")
    .argument("<file>", "the document; examples/catalog.yaml explains all of it")
    .addOption(dryRunOption())
    .action((file: string, options: CallOptions) => applyCatalog(file, options, output));
  addServerOptions(catalog.command("import-prices"))
    .description("fill the price list from the bundled collection; your own prices stay")
    .addOption(
      new Option("--provider <id>", "only this provider of the collection; repeatable")
        .argParser((id: string, ids: string[]) => [...ids, id])
        .default([], "all"),
    )
    .option("--show-skipped", "list each price that the price list cannot hold", false)
    .addOption(dryRunOption())
    .action((options: ImportOptions) => importPrices(options, output));
}

function dryRunOption(): Option {
  return new Option("--dry-run", "only show what would change").default(false);
}

async function applyCatalog(
  path: string,
  { dryRun, ...server }: CallOptions,
  output: CommandOutput,
): Promise<void> {
  const file = await openCatalogFile(path);
  const response = await withClient({ service: Catalog, server, timeoutMs: TIMEOUT_MS }, (client) =>
    client.applyCatalog({ document: file.document, dryRun }).catch((error: unknown) => {
      throw locateProblems(error, path, file);
    }),
  );
  output.write(renderApplied(response, file.document, styleOf(output)));
}

async function importPrices(
  { dryRun, provider, showSkipped, ...server }: ImportOptions,
  output: CommandOutput,
): Promise<void> {
  const response = await withClient({ service: Catalog, server, timeoutMs: TIMEOUT_MS }, (client) =>
    client.importPrices({ providers: provider, dryRun }),
  );
  output.write(renderImported(response, { dryRun, showSkipped }, styleOf(output)));
}

/** @throws CommandError when it cannot be read, or is wrong somewhere */
async function openCatalogFile(path: string): Promise<CatalogFile> {
  const text = await readFile(path, "utf8").catch((cause: Error) => {
    throw new CommandError(`cannot read ${path}: ${cause.message}`, { cause });
  });
  try {
    return readCatalogFile(text);
  } catch (error) {
    if (!(error instanceof CatalogFileError)) throw error;
    throw problemsIn(path, error.message, error);
  }
}

/** The server's complaints about the document, with the lines of the file that they are about. */
function locateProblems(error: unknown, path: string, file: CatalogFile): unknown {
  const violations = error instanceof RpcError ? error.details.badRequest?.fieldViolations : [];
  if (violations === undefined || violations.length === 0) return error;
  const located = violations.filter(({ field }) => field !== "");
  const problems = located.map(({ field, description }) => {
    const part = field.replace(/^document\.?/, "");
    return { line: file.lineOf(part), path: part, text: description };
  });
  // The server stops at some length and then says, without a field, how many more there are.
  const rest = violations.filter(({ field }) => field === "").map(({ description }) => description);
  return problemsIn(path, [formatProblems(problems), ...rest].join("\n"), error);
}

function problemsIn(path: string, lines: string, cause: unknown): CommandError {
  return new CommandError(`${path} cannot be applied:\n${lines}`, {
    hint: "nothing was changed; examples/catalog.yaml explains what a document may say",
    cause,
  });
}

function styleOf(output: CommandOutput) {
  return createStyle(output, process.env.NO_COLOR);
}
