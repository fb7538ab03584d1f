import { type Command, Option } from "commander";
import {
  Analytics,
  type GetUsageSummaryResponse,
  GetUsageSummaryResponseSchema,
  SummaryPeriod,
  UsageDimension,
  type UsageFigures,
  type UsageSummaryRow,
} from "../../gen/tally/v1/analytics_pb.js";
import { UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import type { CommandOutput } from "./catalog.js";
import { addScopeOptions, type ScopeOptions, scopeOf } from "./report-options.js";
import {
  count,
  money,
  ms,
  type ReportColumn,
  type ReportRows,
  type ReportValue,
  text,
  writeReport,
} from "./report-output.js";
import { formatLocalTime, formatRange, formatUtc } from "./report-range.js";
import { withClient } from "./server-options.js";

const PERIODS = {
  hour: SummaryPeriod.HOUR,
  day: SummaryPeriod.DAY,
  week: SummaryPeriod.WEEK,
  month: SummaryPeriod.MONTH,
  total: SummaryPeriod.TOTAL,
} as const;

/** What rows can be told apart by, and where a row has it. */
const SPLITS = {
  user: { dimension: UsageDimension.USER, valueOf: (row) => row.userId },
  "api-key": { dimension: UsageDimension.API_KEY, valueOf: (row) => row.apiKeyId },
  provider: { dimension: UsageDimension.PROVIDER, valueOf: (row) => row.provider },
  model: { dimension: UsageDimension.MODEL, valueOf: (row) => row.model },
  "api-format": { dimension: UsageDimension.API_FORMAT, valueOf: (row) => row.apiFormat },
  status: { dimension: UsageDimension.STATUS, valueOf: (row) => UsageStatus[row.status] },
} as const satisfies Record<
  string,
  { dimension: UsageDimension; valueOf: (row: UsageSummaryRow) => string }
>;

type Split = keyof typeof SPLITS;

interface SummaryOptions extends ScopeOptions {
  readonly by: keyof typeof PERIODS;
  readonly split: readonly (Split | "none")[];
}

/** `tally report summary`: sums by period and, for instance, model. */
export function registerSummaryReport(report: Command, output: CommandOutput): void {
  addScopeOptions(report.command("summary"))
    .description("usage by hour, day, week or month, and by provider and model for instance")
    .addOption(
      new Option("--by <period>", "how long a row is").choices(Object.keys(PERIODS)).default("day"),
    )
    .addOption(
      new Option("--split <what...>", "what else rows are told apart by")
        .choices([...Object.keys(SPLITS), "none"])
        .default(["provider", "model"]),
    )
    .action((options: SummaryOptions) => summarize(options, output));
}

async function summarize(options: SummaryOptions, output: CommandOutput): Promise<void> {
  const splits = options.split.filter((split): split is Split => split !== "none");
  const answer = await withClient({ service: Analytics, server: options }, (client) =>
    client.getUsageSummary({
      ...scopeOf(options),
      groupBy: PERIODS[options.by],
      dimensions: splits.map((split) => SPLITS[split].dimension),
      byPeriodAlone: splits.length === 0,
    }),
  );
  const rows =
    options.format === "csv" ? csvRows(answer, splits) : tableRows(answer, splits, options);
  writeReport(output, options.format, { schema: GetUsageSummaryResponseSchema, answer, rows });
}

function csvRows({ rows }: GetUsageSummaryResponse, splits: readonly Split[]): ReportRows {
  return {
    title: "",
    columns: [
      ...columns(["start_time", ""], ["end_time", ""]),
      ...splits.map((split) => ({ name: split.replace("-", "_"), title: split })),
      ...CSV_FIGURES,
    ],
    rows: rows.map((row) => [
      text(formatUtc(row.startTime)),
      text(formatUtc(row.endTime)),
      ...splits.map((split) => text(SPLITS[split].valueOf(row))),
      ...csvFigures(row.figures!),
    ]),
  };
}

const CSV_FIGURES = columns(
  ["requests", ""],
  ["failures", ""],
  ["attempts", ""],
  ["input_tokens", ""],
  ["output_tokens", ""],
  ["cache_creation_input_tokens", ""],
  ["cache_read_input_tokens", ""],
  ["cost_usd", ""],
  ["actual_cost_usd", ""],
  ["response_time_average_ms", ""],
  ["response_time_p50_ms", ""],
  ["response_time_p95_ms", ""],
  ["response_time_p99_ms", ""],
  ["first_byte_time_average_ms", ""],
  ["first_byte_time_p50_ms", ""],
  ["first_byte_time_p95_ms", ""],
  ["first_byte_time_p99_ms", ""],
);

function csvFigures(figures: UsageFigures): ReportValue[] {
  return [
    count(figures.requests),
    count(figures.failures),
    count(figures.attempts),
    count(figures.inputTokens),
    count(figures.outputTokens),
    count(figures.cacheCreationInputTokens),
    count(figures.cacheReadInputTokens),
    money(figures.cost?.totalNanoUsd ?? 0n),
    money(figures.actualCostNanoUsd),
    ...[figures.responseTime, figures.firstByteTime].flatMap((latency) => [
      ms(latency?.averageMs),
      ms(latency?.p50Ms),
      ms(latency?.p95Ms),
      ms(latency?.p99Ms),
    ]),
  ];
}

function tableRows(
  answer: GetUsageSummaryResponse,
  splits: readonly Split[],
  { by, timeZone }: SummaryOptions,
): ReportRows {
  const label = (row: UsageSummaryRow) => {
    const start = formatLocalTime(row.startTime, timeZone);
    const period = by === "total" ? [] : [by === "hour" ? start : start.slice(0, 10)];
    return [...period, ...splits.map((split) => SPLITS[split].valueOf(row))].join("  ");
  };
  const rows = answer.rows.map((row) => [text(label(row)), ...tableFigures(row.figures!)]);
  const total = answer.total ? [[text("total"), ...tableFigures(answer.total)]] : [];
  return {
    title: formatRange(answer, timeZone),
    columns: TABLE_COLUMNS,
    rows: by === "total" && splits.length === 0 ? total : [...rows, ...total],
  };
}

const TABLE_COLUMNS = columns(
  ["period", ""],
  ["requests", "requests"],
  ["failures", "failed"],
  ["tokens", "tokens"],
  ["cost", "cost"],
  ["actual_cost", "actual cost"],
  ["p50", "p50 ms"],
  ["p95", "p95 ms"],
);

function tableFigures(figures: UsageFigures): ReportValue[] {
  return [
    count(figures.requests),
    count(figures.failures),
    count(figures.totalTokens),
    money(figures.cost?.totalNanoUsd ?? 0n),
    money(figures.actualCostNanoUsd),
    ms(figures.responseTime?.p50Ms),
    ms(figures.responseTime?.p95Ms),
  ];
}

function columns(...pairs: readonly (readonly [name: string, title: string])[]): ReportColumn[] {
  return pairs.map(([name, title]) => ({ name, title }));
}
