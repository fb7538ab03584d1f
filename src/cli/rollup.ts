import type { Command } from "commander";
import { Operations, type RebuildRollupsResponse } from "../../gen/tally/v1/operations_pb.js";
import type { CommandOutput } from "./catalog.js";
import { formatCount } from "./format.js";
import { type ProgressTarget, showProgress } from "./progress.js";
import { addServerOptions, type ServerOptions, withClient } from "./server-options.js";
import { createStyle } from "./style.js";
import { renderTables } from "./table.js";

/** `tally rollup rebuild`: has a running server set its rollups right. */
export function registerRollupCommands(
  program: Command,
  output: CommandOutput = process.stdout,
  progressTarget: ProgressTarget = process.stderr,
): void {
  const rollup = program.command("rollup").description("the sums that statistics are made of");
  addServerOptions(rollup.command("rebuild"))
    .description("have a running server bring its rollups to what its records add up to")
    .addHelpText("after", HELP)
    .action((options: ServerOptions) => rebuild(options, output, progressTarget));
}

const HELP = `
Needed only when "tally verify" finds rollups that differ from the records. Recording goes on
meanwhile. What purged records added stays. A rebuild that is interrupted leaves every figure either
as it was or right, and the next one begins anew.`;

async function rebuild(
  server: ServerOptions,
  output: CommandOutput,
  progressTarget: ProgressTarget,
): Promise<void> {
  let last: RebuildRollupsResponse | undefined;
  const progress = showProgress(progressTarget, () => describe(last));
  try {
    await withClient({ service: Operations, server }, async (client) => {
      for await (last of client.rebuildRollups({}));
    });
  } finally {
    progress.stop();
  }
  if (last) output.write(render(last, createStyle(output, process.env.NO_COLOR)));
}

function describe(last: RebuildRollupsResponse | undefined): string {
  if (last === undefined) return "looking for days with records";
  const { days, totalDays, records } = last;
  const part = `${formatCount(days)} of ${formatCount(totalDays)} days`;
  return `${part}, ${formatCount(records)} records added up`;
}

function render(last: RebuildRollupsResponse, style: ReturnType<typeof createStyle>): string {
  const rows = [
    ["days", formatCount(last.days)],
    ["records", formatCount(last.records)],
    ["rollups that were wrong", formatCount(last.correctedRollups)],
  ];
  return renderTables([{ title: "Rebuilt", rows }], style);
}
