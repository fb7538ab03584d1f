import { type Command, Option } from "commander";
import type { VerifyLedgerResponse } from "../../gen/tally/v1/operations_pb.js";
import { createTallyClients } from "../traffic/clients.js";
import { ensureTraceCatalog } from "../traffic/trace-catalog.js";
import { openTrace, TRACE_FORMATS, type TraceFormat } from "../traffic/trace-file.js";
import { durationArgument, speedArgument, timeArgument, wholeNumberArgument } from "./arguments.js";
import { formatCount } from "./format.js";
import { type SentTraffic, sendTraffic } from "./send-traffic.js";
import { addServerOptions, credentialsOf, type ServerOptions } from "./server-options.js";
import { catchStopSignals, StopRequest } from "./stop-signal.js";
import { createStyle } from "./style.js";
import { renderTables } from "./table.js";
import { driftLines, ledgerTable, trafficTables } from "./traffic-report.js";

/**
 * When a trace begins, unless `--start` says otherwise. The same moment every time, so that a
 * second replay tells exactly what the first told, and nothing is recorded twice.
 */
export const DEFAULT_TRACE_START = "2026-01-05T09:00:00Z";

interface ReplayOptions extends ServerOptions {
  readonly format?: TraceFormat;
  readonly speed: number;
  readonly concurrency: number;
  readonly connections: number;
  readonly reserve: boolean;
  readonly retryFor: number;
  readonly start: number;
}

/** `tally replay`: sends a published trace to a running server and reconciles the books. */
export function registerReplayCommand(program: Command): void {
  addServerOptions(program.command("replay"))
    .description("send a published trace (Mooncake or Azure) to a running server")
    .argument("<file>", "the trace: Mooncake's JSON lines or Azure's CSV")
    .addOption(new Option("--format <name>", "told by the file by default").choices(TRACE_FORMATS))
    .addOption(
      new Option("--speed <factor>", "times faster than the trace was recorded")
        .argParser(speedArgument)
        .default(Number.POSITIVE_INFINITY, "max"),
    )
    .option("--concurrency <n>", "most requests at once", wholeNumberArgument(1, 10_000), 64)
    .option(
      "--connections <n>",
      "for checks, and as many for records",
      wholeNumberArgument(1, 64),
      2,
    )
    .option("--reserve", "hold the estimate of each request until it is recorded", true)
    .option("--no-reserve", "only check")
    .addOption(
      new Option("--retry-for <time>", "how long an outage of the server may last")
        .argParser(durationArgument)
        .default(60_000, "60s"),
    )
    .addOption(
      new Option("--start <time>", "when the trace begins")
        .argParser(timeArgument)
        .default(Date.parse(DEFAULT_TRACE_START), DEFAULT_TRACE_START),
    )
    .addHelpText("after", HELP)
    .action(replay);
}

const HELP = `
Each request is checked, reserved and recorded. What was spent is real, so a request is recorded
even if its check is denied. Users (user-0 to user-199), their API keys, models and prices are
added to the catalog where they are missing; budgets are yours to set.

A request's id comes from the trace's content and its line, and its time from --start
(${DEFAULT_TRACE_START} by default): replaying again, after an interruption for instance, records
nothing twice. Statistics over the last days see the trace if --start lies within them.

The exit code is 1 when a request was lost or the books do not match the records.`;

async function replay(file: string, options: ReplayOptions): Promise<void> {
  const stopSignal = catchStopSignals();
  const trace = await openTrace(file, options.format);
  const clients = createTallyClients(
    options.address,
    options.connections,
    await credentialsOf(options),
  );
  try {
    const added = await ensureTraceCatalog(clients);
    process.stdout.write(
      `replaying ${trace.traceId} to ${options.address}, ` +
        `as if it began at ${new Date(options.start).toISOString()}; ` +
        `${formatCount(added)} entries were added to the catalog\n\n`,
    );
    const sent = await sendTraffic({
      requests: trace.requests(),
      clients,
      concurrency: options.concurrency,
      speed: options.speed,
      reserve: options.reserve,
      recordDenied: true,
      createTimeMs: ({ offsetMs }) => options.start + offsetMs,
      retryForMs: options.retryFor,
      stopSignal,
    });
    const verified = await clients.operations.verifyLedger({});
    report(sent, verified);
    process.exitCode = exitCodeFor(sent, verified, stopSignal);
  } finally {
    clients.close();
  }
}

function report({ totals, timing }: SentTraffic, verified: VerifyLedgerResponse): void {
  const style = createStyle(process.stdout, process.env.NO_COLOR);
  const tables = [...trafficTables(totals, timing), ledgerTable(verified)];
  process.stdout.write(`${renderTables(tables, style)}\n`);
  for (const line of [...totals.errors, ...driftLines(verified)]) {
    process.stdout.write(`${style.bad(line)}\n`);
  }
  const isRight = totals.lost === 0 && verified.driftCount === 0n;
  const verdict = isRight
    ? style.good("nothing was lost, and the books are what the records add up to")
    : style.bad(`${formatCount(totals.lost)} lost, ${formatCount(verified.driftCount)} drifted`);
  process.stdout.write(`${verdict}\n`);
}

function exitCodeFor(
  { totals }: SentTraffic,
  { driftCount }: VerifyLedgerResponse,
  stopSignal: AbortSignal,
): number {
  if (totals.lost > 0 || driftCount > 0n) return 1;
  return stopSignal.reason instanceof StopRequest ? stopSignal.reason.exitCode : 0;
}
