import type { Command } from "commander";
import { Operations, type PurgeUsageResponse } from "../../gen/tally/v1/operations_pb.js";
import { createGrpcClient } from "../client/grpc-client.js";
import { wholeNumberArgument } from "./arguments.js";
import type { CommandOutput } from "./catalog.js";
import { formatCount } from "./format.js";
import { type ProgressTarget, showProgress } from "./progress.js";
import { addServerOptions, credentialsOf, type ServerOptions } from "./server-options.js";
import { createStyle } from "./style.js";
import { renderTables } from "./table.js";

interface PurgeOptions extends ServerOptions {
  readonly daysToKeep: number;
  readonly batchSize: number;
}

/** `tally purge`: has a running server remove what is older than it may be kept. */
export function registerPurgeCommand(
  program: Command,
  output: CommandOutput = process.stdout,
  progressTarget: ProgressTarget = process.stderr,
): void {
  addServerOptions(program.command("purge"))
    .description("have a running server remove what is older than it may be kept")
    .option(
      "--days-to-keep <n>",
      "finished records that arrived longer ago are removed",
      wholeNumberArgument(1, 36_500),
      90,
    )
    .option(
      "--batch-size <n>",
      "most rows in one transaction",
      wholeNumberArgument(1, 10_000),
      1_000,
    )
    .addHelpText("after", HELP)
    .action((options: PurgeOptions) => purge(options, output, progressTarget));
}

const HELP = `
Bodies, headers and keys go by the settings of the catalog, finished records by --days-to-keep.
Statistics, totals and budgets go on counting records that are gone. Recording goes on meanwhile. A
purge that is interrupted loses nothing, and the next one goes on.`;

async function purge(
  { daysToKeep, batchSize, ...server }: PurgeOptions,
  output: CommandOutput,
  progressTarget: ProgressTarget,
): Promise<void> {
  const client = createGrpcClient(Operations, server.address, await credentialsOf(server));
  let last: PurgeUsageResponse | undefined;
  const progress = showProgress(progressTarget, () => describe(last));
  try {
    for await (last of client.purgeUsage({ daysToKeep, batchSize }));
  } finally {
    progress.stop();
    client.close();
  }
  if (last) output.write(render(last, createStyle(output, process.env.NO_COLOR)));
}

function describe(last: PurgeUsageResponse | undefined): string {
  return `${formatCount(last?.records ?? 0n)} records purged`;
}

function render(
  { records, bodies, headers, keys, partitions }: PurgeUsageResponse,
  style: ReturnType<typeof createStyle>,
): string {
  const rows = [
    ["records", formatCount(records)],
    ["payloads that lost their bodies", formatCount(bodies)],
    ["payloads that lost their headers", formatCount(headers)],
    ["keys of records purged before", formatCount(keys)],
    ["monthly partitions", formatCount(partitions)],
  ];
  return `${renderTables([{ title: "Purged", rows }], style)}`;
}
