import type { Command } from "commander";
import type { CommandOutput } from "./catalog.js";
import { registerCacheHitsReport } from "./report-cache-hits.js";
import { registerHeatmapReport } from "./report-heatmap.js";
import { registerSummaryReport } from "./report-summary.js";
import { registerTopUsersReport } from "./report-top-users.js";

/** `tally report …`: statistics of a running server, for people, as JSON or as CSV. */
export function registerReportCommands(
  program: Command,
  output: CommandOutput = process.stdout,
): void {
  const report = program
    .command("report")
    .description("statistics of a running server, as tables, JSON or CSV")
    .addHelpText("after", HELP);
  registerSummaryReport(report, output);
  registerTopUsersReport(report, output);
  registerHeatmapReport(report, output);
  registerCacheHitsReport(report, output);
}

const HELP = `
JSON is the answer of the server as the contract has it: money in nano-USD, 64-bit numbers as texts.
CSV has money in USD with nine decimals. Colours are left out where NO_COLOR is set or the output is
no terminal.`;
