import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { timeArgument, wholeNumberArgument } from "./arguments.js";
import { formatOption, type ReportFormat } from "./report-output.js";
import { addServerOptions, type ServerOptions } from "./server-options.js";

/** What every report can be told. */
export interface ReportOptions extends ServerOptions {
  readonly format: ReportFormat;
}

/** Of which usage a report is. */
export interface ScopeOptions extends ReportOptions {
  readonly from?: number;
  readonly to?: number;
  readonly hours?: number;
  readonly timeZone: string;
  readonly user: string;
  readonly apiKey: string;
  readonly provider: string;
  readonly model: string;
}

const MAX_HOURS = 87_840;

/** `--format`, and the server to ask. */
export function addReportOptions(command: Command): Command {
  return addServerOptions(command.addOption(formatOption()));
}

/** Time, zone and filters. */
export function addScopeOptions(command: Command): Command {
  return addReportOptions(
    command
      .option(
        "--from <time>",
        "usage from this time on, such as 2026-05-01T00:00:00Z",
        timeArgument,
      )
      .option("--to <time>", "usage before this time; default: now", timeArgument)
      .option(
        "--hours <n>",
        "instead of --from: so many hours back",
        wholeNumberArgument(1, MAX_HOURS),
      )
      .option("--time-zone <zone>", "IANA time zone", "UTC")
      .option("--user <id>", "only this user", "")
      .option("--api-key <id>", "only this API key", "")
      .option("--provider <provider>", "only this provider", "")
      .option("--model <model>", "only this model", ""),
  );
}

/** The fields that all questions share. */
export function scopeOf(options: ScopeOptions) {
  return {
    ...(options.from === undefined ? {} : { startTime: timestampFromMs(options.from) }),
    ...(options.to === undefined ? {} : { endTime: timestampFromMs(options.to) }),
    hours: options.hours ?? 0,
    timeZone: options.timeZone,
    userId: options.user,
    apiKeyId: options.apiKey,
    provider: options.provider,
    model: options.model,
  };
}
