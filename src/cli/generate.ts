import type { Command } from "commander";
import type { HistoryProgress, HistoryRequest } from "../app-history.js";
import { loadConfig } from "../config.js";
import { createLogger } from "../telemetry/logger.js";
import { MAX_SEED } from "../traffic/prng.js";
import { timeArgument, wholeNumberArgument } from "./arguments.js";
import type { CommandOutput } from "./catalog.js";
import { CommandError } from "./command-error.js";
import { type ConfigOptions, configOption, environmentOf } from "./config-option.js";
import { formatCount, formatDollars } from "./format.js";
import { type ProgressTarget, showProgress } from "./progress.js";
import { catchStopSignals } from "./stop-signal.js";
import { createStyle } from "./style.js";
import { renderTables } from "./table.js";

interface GenerateOptions extends ConfigOptions {
  readonly records: number;
  readonly days: number;
  readonly users: number;
  readonly seed: number;
  readonly end?: number;
  readonly force: boolean;
}

const MAX_RECORDS = 1_000_000_000;
const MAX_DAYS = 3_650;
const MAX_USERS = 20_000;
const DAY_MS = 86_400_000;

/** `tally generate`: fills a database with a seeded history of usage. */
export function registerGenerateCommand(
  program: Command,
  output: CommandOutput = process.stdout,
  progressTarget: ProgressTarget = process.stderr,
): void {
  program
    .command("generate")
    .description("fill an empty database with a seeded history of usage, budgets and statistics")
    .requiredOption("--records <n>", "how many records", wholeNumberArgument(1, MAX_RECORDS))
    .option("--days <n>", "over how many days", wholeNumberArgument(1, MAX_DAYS), 365)
    .option("--users <n>", "of how many users", wholeNumberArgument(1, MAX_USERS), 1_000)
    .option("--seed <n>", "decides the history", wholeNumberArgument(0, MAX_SEED), 2_025)
    .option("--end <time>", "where it ends; default: the last midnight in UTC", timeArgument)
    .option("--force", "also in a database that has records, or is served now", false)
    .addOption(configOption())
    .addHelpText("after", HELP)
    .action((options: GenerateOptions) => generate(options, output, progressTarget));
}

const HELP = `
Writes to DATABASE_URL, or to the embedded database when no server has it open. The same options
and end make the same records, to the nano-USD. Ten million take some minutes and 15 GB.

Should it be cut off while it adds up statistics, "tally rollup rebuild" does the rest.`;

async function generate(
  options: GenerateOptions,
  output: CommandOutput,
  progressTarget: ProgressTarget,
): Promise<void> {
  const config = loadConfig(environmentOf(options));
  const level = process.env.TALLY_LOG_LEVEL ? config.log.level : "warn";
  const { DatabaseOccupiedError, generateHistory } = await import("../app-history.js");
  const request = toRequest(options);
  let last: HistoryProgress | undefined;
  const progress = showProgress(progressTarget, () => describe(last));
  const startedMs = performance.now();
  try {
    const totals = await generateHistory(config, request, {
      logger: createLogger({ level }),
      signal: catchStopSignals(),
      onProgress(now) {
        last = now;
      },
    });
    const rows = [
      ["records", formatCount(totals.records)],
      ["days", formatCount(options.days)],
      ["users", formatCount(options.users)],
      ["cost", formatDollars(totals.costNanoUsd)],
      ["until", new Date(request.endMs).toISOString()],
      ["seconds", formatCount(Math.round((performance.now() - startedMs) / 1_000))],
    ];
    output.write(
      renderTables([{ title: "Generated", rows }], createStyle(output, process.env.NO_COLOR)),
    );
  } catch (error) {
    if (!(error instanceof DatabaseOccupiedError)) throw error;
    throw new CommandError(error.message, { cause: error });
  } finally {
    progress.stop();
  }
}

function toRequest({ records, days, users, seed, end, force }: GenerateOptions): HistoryRequest {
  const endMs = end ?? Math.floor(Date.now() / DAY_MS) * DAY_MS;
  return { requests: records, days, users, seed, endMs, isForced: force };
}

function describe(last: HistoryProgress | undefined): string {
  if (last === undefined) return "opening the database";
  const part = `${formatCount(last.done)} of ${formatCount(last.total)}`;
  switch (last.phase) {
    case "catalog":
      return `making ${formatCount(last.total)} users`;
    case "records":
      return `${part} records`;
    case "rollups":
      return `statistics of ${part} days`;
    case "vacuum":
      return "tidying up";
  }
}
