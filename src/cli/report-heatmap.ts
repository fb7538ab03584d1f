import { type Command, Option } from "commander";
import {
  Analytics,
  type DailyActivity,
  type GetDailyActivityResponse,
  GetDailyActivityResponseSchema,
} from "../../gen/tally/v1/analytics_pb.js";
import { wholeNumberArgument } from "./arguments.js";
import type { CommandOutput } from "./catalog.js";
import { formatCount, formatDollars } from "./format.js";
import { drawHeatmap } from "./heatmap.js";
import { addReportOptions, type ReportOptions } from "./report-options.js";
import { count, money, text, writeReport } from "./report-output.js";
import { withClient } from "./server-options.js";
import { isColored } from "./style.js";
import type { Table } from "./table.js";

/** What the shade of a day tells. */
const AMOUNTS = {
  requests: { amountOf: (day) => day.requests, show: formatCount },
  tokens: { amountOf: (day) => day.totalTokens, show: formatCount },
  cost: { amountOf: (day) => day.costNanoUsd, show: formatDollars },
} as const satisfies Record<
  string,
  { amountOf: (day: DailyActivity) => bigint; show: (amount: bigint) => string }
>;

interface HeatmapOptions extends ReportOptions {
  readonly days: number;
  readonly timeZone: string;
  readonly user: string;
  readonly show: keyof typeof AMOUNTS;
}

const MAX_DAYS = 3_660;

/** `tally report heatmap`: activity day by day, drawn as a calendar. */
export function registerHeatmapReport(report: Command, output: CommandOutput): void {
  addReportOptions(report.command("heatmap"))
    .description("how much was used day by day, drawn as a calendar")
    .option("--days <n>", "how many days, today included", wholeNumberArgument(1, MAX_DAYS), 365)
    .option("--time-zone <zone>", "IANA time zone in which days begin", "UTC")
    .option("--user <id>", "only this user", "")
    .addOption(
      new Option("--show <what>", "what the shade of a day tells")
        .choices(Object.keys(AMOUNTS))
        .default("requests"),
    )
    .action((options: HeatmapOptions) => showHeatmap(options, output));
}

async function showHeatmap(options: HeatmapOptions, output: CommandOutput): Promise<void> {
  const { days: windowDays, timeZone, user: userId, show } = options;
  const answer = await withClient({ service: Analytics, server: options }, (client) =>
    client.getDailyActivity({ windowDays, timeZone, userId, includeActualCost: true }),
  );
  const days = answer.days.map((day) => ({ date: day.date, amount: AMOUNTS[show].amountOf(day) }));
  writeReport(output, options.format, {
    schema: GetDailyActivityResponseSchema,
    answer,
    rows: {
      title: "",
      columns: CSV_COLUMNS,
      rows: answer.days.map((day) => [
        text(day.date),
        count(day.requests),
        count(day.failures),
        count(day.totalTokens),
        money(day.costNanoUsd),
        money(day.actualCostNanoUsd ?? 0n),
      ]),
    },
    drawing: drawHeatmap(days, isColored(output, process.env.NO_COLOR)),
    more: [totals(answer, options)],
  });
}

const CSV_COLUMNS = [
  "date",
  "requests",
  "failures",
  "total_tokens",
  "cost_usd",
  "actual_cost_usd",
].map((name) => ({ name, title: name }));

function totals(answer: GetDailyActivityResponse, { timeZone, show }: HeatmapOptions): Table {
  const sumOf = (amountOf: (day: DailyActivity) => bigint) =>
    answer.days.reduce((sum, day) => sum + amountOf(day), 0n);
  const { amountOf, show: shown } = AMOUNTS[show];
  const most = answer.days.reduce<DailyActivity | undefined>(
    (max, day) => (amountOf(day) > (max ? amountOf(max) : 0n) ? day : max),
    undefined,
  );
  return {
    title: `${answer.startDate} to ${answer.endDate}, ${timeZone}`,
    rows: [
      ["requests", formatCount(sumOf(AMOUNTS.requests.amountOf))],
      ["failed", formatCount(sumOf((day) => day.failures))],
      ["tokens", formatCount(sumOf(AMOUNTS.tokens.amountOf))],
      ["cost", formatDollars(sumOf(AMOUNTS.cost.amountOf))],
      ...(most ? [[`most ${show}, on ${most.date}`, shown(amountOf(most))]] : []),
    ],
  };
}
