import type { VerifyLedgerResponse } from "../../gen/tally/v1/operations_pb.js";
import { toAscii } from "../ascii.js";
import type { CallTimer, CallTimings } from "../traffic/call-timings.js";
import type { Spend, TrafficTotals } from "../traffic/traffic-totals.js";
import { formatCount, formatDollars, formatMs, formatName } from "./format.js";
import type { Table } from "./table.js";

/** How long traffic was sent, and how long its calls took. */
export interface TrafficTiming {
  readonly elapsedMs: number;
  readonly timings: CallTimings;
  /** Calls that had to be repeated. */
  readonly retries: number;
}

const LARGEST_USERS = 3;
const SHOWN_DRIFTS = 10;
const MAX_LINE_LENGTH = 500;

/** What was sent, what it cost, and how fast it went. */
export function trafficTables(totals: TrafficTotals, timing: TrafficTiming): Table[] {
  return [
    requestsTable(totals),
    countsTable("Outcomes", totals.outcomes),
    countsTable("Denied checks", totals.denials),
    tokensTable(totals),
    spendTable("Cost by model", totals.byModel, Number.POSITIVE_INFINITY),
    spendTable("Largest users", totals.byUser, LARGEST_USERS),
    speedTable(timing),
  ];
}

function requestsTable(totals: TrafficTotals): Table {
  const rows: [string, number][] = [
    ["checked", totals.requests],
    ["recorded", totals.recorded],
    ["of them failed at the provider", totals.failed],
    ["allowed beyond a soft limit", totals.warned],
    ["released before they were sent", totals.released],
    ["lost", totals.lost],
  ];
  const always = new Set(["checked", "recorded", "lost"]);
  const shown = rows.filter(([name, count]) => count > 0 || always.has(name));
  return { title: "Requests", rows: shown.map(([name, count]) => [name, formatCount(count)]) };
}

function countsTable(title: string, counts: ReadonlyMap<string, number>): Table {
  const rows = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return { title, rows: rows.map(([name, count]) => [formatName(name), formatCount(count)]) };
}

function tokensTable({ tokens }: TrafficTotals): Table {
  const total = tokens.input + tokens.output + tokens.cacheCreation + tokens.cacheRead;
  return {
    title: "Tokens",
    rows: [
      ["input", formatCount(tokens.input)],
      ["cache creation", formatCount(tokens.cacheCreation)],
      ["cache read", formatCount(tokens.cacheRead)],
      ["output", formatCount(tokens.output)],
      ["total", formatCount(total)],
    ],
  };
}

function spendTable(title: string, spends: ReadonlyMap<string, Spend>, limit: number): Table {
  const largest = [...spends].sort(
    ([nameA, a], [nameB, b]) =>
      Number(b.costNanoUsd > a.costNanoUsd) - Number(b.costNanoUsd < a.costNanoUsd) ||
      (nameA < nameB ? -1 : 1),
  );
  return {
    title,
    columns: ["requests", "USD"],
    rows: largest
      .slice(0, limit)
      .map(([name, { requests, costNanoUsd }]) => [
        name,
        formatCount(requests),
        formatDollars(costNanoUsd),
      ]),
  };
}

function speedTable({ elapsedMs, timings, retries }: TrafficTiming): Table {
  const calls = timings.check.count + timings.record.count;
  const perSecond = elapsedMs > 0 ? Math.round((calls * 1_000) / elapsedMs) : 0;
  return {
    title: "Speed",
    columns: ["calls", "p50", "p99"],
    rows: [
      timerRow("CheckQuota", timings.check),
      timerRow("RecordUsage", timings.record),
      ["calls per second", formatCount(perSecond)],
      ["seconds", (elapsedMs / 1_000).toFixed(1)],
      ...(retries > 0 ? [["calls repeated", formatCount(retries)]] : []),
    ],
  };
}

function timerRow(name: string, timer: CallTimer): string[] {
  const [p50, p99] = [50, 99].map((percent) => formatMs(timer.percentileMs(percent)));
  return [name, formatCount(timer.count), p50 ?? "", p99 ?? ""];
}

/** What VerifyLedger found. */
export function ledgerTable(verified: VerifyLedgerResponse): Table {
  return {
    title: "Ledger, recomputed from the records",
    rows: [
      ["records", formatCount(verified.records)],
      ["budget periods", formatCount(verified.budgetPeriods)],
      ["rollups", formatCount(verified.rollups)],
      ["subject totals", formatCount(verified.subjectTotals)],
      ["figures that drifted", formatCount(verified.driftCount)],
    ],
  };
}

/** One line for each of the first drifts. Ids are the callers' own: they reach no terminal raw. */
export function driftLines({ drifts }: VerifyLedgerResponse): string[] {
  return drifts.slice(0, SHOWN_DRIFTS).map(({ check, subject, figure, stored, recomputed }) => {
    const line = `drift: ${check} ${subject}: ${figure} is ${stored}, its records say ${recomputed}`;
    return toAscii(line, MAX_LINE_LENGTH);
  });
}
