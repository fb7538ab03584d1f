import type { Command } from "commander";
import { Operations, type VerifyLedgerResponse } from "../../gen/tally/v1/operations_pb.js";
import { toAscii } from "../ascii.js";
import { wholeNumberArgument } from "./arguments.js";
import type { CommandOutput } from "./catalog.js";
import { formatCount, formatDollars } from "./format.js";
import { addServerOptions, type ServerOptions, withClient } from "./server-options.js";
import { createStyle, type Style } from "./style.js";
import { renderTables, type Table } from "./table.js";
import { ledgerTable } from "./traffic-report.js";

interface VerifyOptions extends ServerOptions {
  readonly maxDrifts: number;
}

const DEFAULT_MAX_DRIFTS = 100;
const MAX_DRIFTS = 10_000;

/** Subjects hold ids, which are the callers' own; this is as much of them as a line shows. */
const MAX_SUBJECT_LENGTH = 300;

/** `tally verify`: recomputes the books of a running server from its usage records. */
export function registerVerifyCommand(
  program: Command,
  output: CommandOutput = process.stdout,
): void {
  addServerOptions(program.command("verify"))
    .description("recompute a running server's books from its usage records")
    .option(
      "--max-drifts <n>",
      "most differences to list; all are counted",
      wholeNumberArgument(1, MAX_DRIFTS),
      DEFAULT_MAX_DRIFTS,
    )
    .addHelpText("after", HELP)
    .action((options: VerifyOptions) => verify(options, output));
}

const HELP = `
Compares budgets, leases, totals and rollups with what the records add up to, and records with
their keys and charges, all as of one moment, while the server goes on. Reads everything, which
takes seconds for every million records.

The exit code is 1 when any figure differs.`;

async function verify(
  { maxDrifts, ...server }: VerifyOptions,
  output: CommandOutput,
): Promise<void> {
  const target = { service: Operations, server, timeoutMs: Number.POSITIVE_INFINITY };
  const verified = await withClient(target, (client) => client.verifyLedger({ maxDrifts }));
  output.write(renderVerified(verified, createStyle(output, process.env.NO_COLOR)));
  if (verified.driftCount > 0n) process.exitCode = 1;
}

function renderVerified(verified: VerifyLedgerResponse, style: Style): string {
  const { rows, ...ledger } = ledgerTable(verified);
  const cost = ["cost of all records", formatDollars(BigInt(verified.totalCostNanoUsd))];
  const tables = [{ ...ledger, rows: [...rows, cost] }, driftTable(verified)];
  return `${renderTables(tables, style)}\n${verdict(verified, style)}\n`;
}

function driftTable({ drifts }: VerifyLedgerResponse): Table {
  return {
    title: "Drifts",
    columns: ["figure", "stored", "recomputed"],
    rows: drifts.map(({ check, subject, figure, stored, recomputed }) => [
      `${check} ${toAscii(subject, MAX_SUBJECT_LENGTH)}`,
      toAscii(figure, MAX_SUBJECT_LENGTH),
      stored,
      recomputed,
    ]),
  };
}

function verdict({ driftCount, drifts }: VerifyLedgerResponse, style: Style): string {
  if (driftCount === 0n) return style.good("the books are what the records add up to");
  const unlisted = driftCount - BigInt(drifts.length);
  const more = unlisted > 0n ? ` (${formatCount(unlisted)} of them not listed)` : "";
  const figures = driftCount === 1n ? "1 figure is" : `${formatCount(driftCount)} figures are`;
  return style.bad(`${figures} not what the records add up to${more}`);
}
