/**
 * Writes docs/metrics.md from the table of metrics; `--check` only compares, and fails when the
 * file is not what would be written.
 */
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { METRICS, type MetricDefinition } from "../src/telemetry/metric-table.js";

const INTRODUCTION = `# Metrics

The HTTP port shows them at \`/metrics\`, in the text format of Prometheus. They are of one replica,
since its start. Labels take their values from short lists (methods of the contract, gRPC codes,
reasons): never from callers, so that the number of series is bounded.

[deploy/grafana](../deploy/grafana/tally.json) has a dashboard to import, and
[deploy/prometheus](../deploy/prometheus/tally-alerts.yaml) alert rules to load; both name only
metrics of this page, which a test checks. Neither was loaded into Grafana or Prometheus yet: none
is part of the tests.

This page is generated from \`src/telemetry/metric-table.ts\` by \`scripts/metrics-docs.ts\`.
`;

/** The text of docs/metrics.md. */
export function renderMetricsDocs(metrics: Readonly<Record<string, MetricDefinition>>): string {
  const rows = Object.entries(metrics).map(
    ([name, { type, labels, help }]) =>
      `| \`${name}\` | ${type} | ${labels.map((label) => `\`${label}\``).join(", ")} | ${help} |`,
  );
  const table = ["| metric | type | labels | what |", "| --- | --- | --- | --- |", ...rows, ""];
  return [INTRODUCTION, table.join("\n"), renderBuckets(metrics)].join("\n");
}

function renderBuckets(metrics: Readonly<Record<string, MetricDefinition>>): string {
  const histograms = Object.entries(metrics).filter(([, { buckets }]) => buckets !== undefined);
  const lines = histograms.map(
    ([name, { buckets = [] }]) => `- \`${name}\`: ${buckets.join(", ")}`,
  );
  return ["Upper bounds of the buckets of histograms:", "", ...lines, ""].join("\n");
}

async function main(args: readonly string[]): Promise<void> {
  const path = new URL("../docs/metrics.md", import.meta.url);
  const text = renderMetricsDocs(METRICS);
  if (!args.includes("--check")) return writeFile(path, text);
  const current = await readFile(path, "utf8").catch(() => "");
  if (current === text) return;
  console.error("docs/metrics.md is not up to date: run npx tsx scripts/metrics-docs.ts");
  process.exitCode = 1;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await main(process.argv.slice(2));
