import type { Command } from "commander";
import {
  Analytics,
  type GetCacheHitAnalysisResponse,
  GetCacheHitAnalysisResponseSchema,
} from "../../gen/tally/v1/analytics_pb.js";
import type { CommandOutput } from "./catalog.js";
import { addScopeOptions, type ScopeOptions, scopeOf } from "./report-options.js";
import {
  count,
  money,
  type ReportRows,
  type ReportValue,
  share,
  text,
  writeReport,
} from "./report-output.js";
import { formatRange } from "./report-range.js";
import { withClient } from "./server-options.js";

/** `tally report cache-hits`: what the prompt caches of providers saved. */
export function registerCacheHitsReport(report: Command, output: CommandOutput): void {
  addScopeOptions(report.command("cache-hits"))
    .description("how much of the prompts came out of caches, and what that saved")
    .addHelpText("after", HELP)
    .action((options: ScopeOptions) => showCacheHits(options, output));
}

const HELP = `
Of completed requests of the last 7 days, unless --from or --hours says otherwise; at most 31 days, or
366 of one user or API key. Savings are against the prices that each request was priced with; net is
less what writing to the cache cost more than not to.`;

async function showCacheHits(options: ScopeOptions, output: CommandOutput): Promise<void> {
  const answer = await withClient({ service: Analytics, server: options }, (client) =>
    client.getCacheHitAnalysis(scopeOf(options)),
  );
  const figures = figuresOf(answer);
  const title = formatRange(answer, options.timeZone);
  writeReport(output, options.format, {
    schema: GetCacheHitAnalysisResponseSchema,
    answer,
    rows: options.format === "csv" ? csvRows(figures) : tableRows(title, figures),
  });
}

type Figure = readonly [name: string, title: string, value: ReportValue];

function figuresOf(answer: GetCacheHitAnalysisResponse): Figure[] {
  const { savings, actualSavings } = answer;
  return [
    ["requests", "requests", count(answer.requests)],
    ["requests_with_hit", "requests with a hit", count(answer.requestsWithHit)],
    ["request_hit_rate", "hits by request", share(answer.requestHitRate)],
    ["token_hit_rate", "hits by token, of input and read", share(answer.tokenHitRate)],
    ["input_hit_rate", "hits by token, of all of the prompt", share(answer.inputHitRate)],
    ["input_tokens", "input tokens", count(answer.inputTokens)],
    ["cache_creation_input_tokens", "written tokens", count(answer.cacheCreationInputTokens)],
    ["cache_read_input_tokens", "read tokens", count(answer.cacheReadInputTokens)],
    ["cache_creation_usd", "cost of writing", money(answer.cacheCreationNanoUsd)],
    ["cache_read_usd", "cost of reading", money(answer.cacheReadNanoUsd)],
    ["actual_cache_usd", "actual cost of both", money(answer.actualCacheNanoUsd)],
    ["gross_savings_usd", "gross savings", money(savings?.grossNanoUsd ?? 0n)],
    ["net_savings_usd", "net savings", money(savings?.netNanoUsd ?? 0n)],
    ["actual_gross_savings_usd", "actual gross savings", money(actualSavings?.grossNanoUsd ?? 0n)],
    ["actual_net_savings_usd", "actual net savings", money(actualSavings?.netNanoUsd ?? 0n)],
    ["unpriced_requests", "requests without a price", count(answer.unpricedRequests)],
  ];
}

/** One line below the names. */
function csvRows(figures: readonly Figure[]): ReportRows {
  return {
    title: "",
    columns: figures.map(([name, title]) => ({ name, title })),
    rows: [figures.map(([, , value]) => value)],
  };
}

/** A line for each figure. */
function tableRows(title: string, figures: readonly Figure[]): ReportRows {
  return {
    title,
    columns: [],
    rows: figures.map(([, label, value]) => [text(label), value]),
  };
}
