import { randomUUID } from "node:crypto";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import {
  Operations,
  type RepricedModel,
  type RepriceResponse,
} from "../../gen/tally/v1/operations_pb.js";
import { toAscii } from "../ascii.js";
import { createGrpcClient } from "../client/grpc-client.js";
import { timeArgument } from "./arguments.js";
import type { CommandOutput } from "./catalog.js";
import { formatCount, formatDollars } from "./format.js";
import { type ProgressTarget, showProgress } from "./progress.js";
import { addServerOptions, credentialsOf, type ServerOptions } from "./server-options.js";
import { createStyle, type Style } from "./style.js";
import { renderTables, type Table } from "./table.js";

interface RepriceOptions extends ServerOptions {
  readonly start: number;
  readonly end: number;
  readonly model?: string;
  readonly provider?: string;
  readonly user?: string;
  readonly apiKey?: string;
  readonly onlyUnpriced?: boolean;
  readonly currentMultipliers?: boolean;
  readonly dryRun?: boolean;
  readonly requestId?: string;
}

/** As much of a model's name as a line shows. */
const MAX_NAME_LENGTH = 100;

/** `tally reprice`: has a running server price finished records anew. */
export function registerRepriceCommand(
  program: Command,
  output: CommandOutput = process.stdout,
  progressTarget: ProgressTarget = process.stderr,
): void {
  addServerOptions(program.command("reprice"))
    .description("have a running server price finished records by today's price book")
    .requiredOption("--start <time>", "records that arrived from this time on", timeArgument)
    .requiredOption("--end <time>", "records that arrived before this time", timeArgument)
    .option("--model <model>", "only this model")
    .option("--provider <provider>", "only this provider")
    .option("--user <id>", "only this user")
    .option("--api-key <id>", "only this API key")
    .option("--only-unpriced", "only records that had no price")
    .option("--current-multipliers", "take the rate multipliers that provider keys have now")
    .option("--dry-run", "show the difference and change nothing")
    .option("--request-id <id>", "goes on with a repricing that was cut off; default: a new one")
    .addHelpText("after", HELP)
    .action((options: RepriceOptions) => reprice(options, output, progressTarget));
}

const HELP = `
Each record gets the price that was effective when it arrived, and budgets, totals and rollups move
by the difference, over periods that are over too. Recording goes on meanwhile. Times have a zone,
such as 2026-01-05T09:00:00Z.`;

async function reprice(
  options: RepriceOptions,
  output: CommandOutput,
  progressTarget: ProgressTarget,
): Promise<void> {
  const client = createGrpcClient(Operations, options.address, await credentialsOf(options));
  const requestId = options.dryRun ? "" : (options.requestId ?? randomUUID());
  const goOn = requestId === "" ? "" : ` (goes on with --request-id ${requestId})`;
  let last: RepriceResponse | undefined;
  const describe = () => `${formatCount(last?.records ?? 0n)} records looked at${goOn}`;
  const progress = showProgress(progressTarget, describe);
  try {
    for await (last of client.reprice(toRequest(options, requestId)));
  } finally {
    progress.stop();
    client.close();
  }
  if (last) output.write(render(last, createStyle(output, process.env.NO_COLOR)));
}

function toRequest(options: RepriceOptions, requestId: string) {
  return {
    requestId,
    startTime: timestampFromMs(options.start),
    endTime: timestampFromMs(options.end),
    model: options.model ?? "",
    provider: options.provider ?? "",
    userId: options.user ?? "",
    apiKeyId: options.apiKey ?? "",
    onlyUnpriced: options.onlyUnpriced ?? false,
    useCurrentRateMultipliers: options.currentMultipliers ?? false,
    dryRun: options.dryRun ?? false,
  };
}

function render(result: RepriceResponse, style: Style): string {
  const { records, changedRecords, unpricedRecords, dryRun, models } = result;
  const summary: Table = {
    title: dryRun ? "Repricing, not done" : "Repriced",
    rows: [
      ["records", formatCount(records)],
      [dryRun ? "would change" : "changed", formatCount(changedRecords)],
      ["left, for want of a price", formatCount(unpricedRecords)],
    ],
  };
  return renderTables([summary, modelTable(models)], style);
}

function modelTable(models: readonly RepricedModel[]): Table {
  return {
    title: "Difference by model",
    columns: ["records", "list before", "list after", "actual before", "actual after"],
    rows: models.map((model) => [
      toAscii(model.model, MAX_NAME_LENGTH),
      formatCount(model.changedRecords),
      ...[
        model.costBeforeNanoUsd,
        model.costAfterNanoUsd,
        model.actualCostBeforeNanoUsd,
        model.actualCostAfterNanoUsd,
      ].map((text) => formatDollars(BigInt(text))),
    ]),
  };
}
