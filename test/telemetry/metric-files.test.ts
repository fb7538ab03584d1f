import { readFile } from "node:fs/promises";
import { expect } from "chai";
import { parse } from "yaml";
import { renderMetricsDocs } from "../../scripts/metrics-docs.js";
import { METRICS } from "../../src/telemetry/metric-table.js";

const read = (path: string) => readFile(new URL(`../../${path}`, import.meta.url), "utf8");

/** Every series that can be asked for. */
const SERIES = new Set(
  Object.entries(METRICS).flatMap(([name, { type }]) =>
    type === "histogram" ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
);

/** Prometheus makes it of every target. */
const SERIES_OF_PROMETHEUS = new Set(["up"]);

const METRIC_NAME = /\b(?:tally|process|nodejs)_[a-z_]+\b|\bup\b/g;

function checkExpression(expression: string): void {
  const names = expression.match(METRIC_NAME) ?? [];
  expect(names, expression).not.to.have.length(0);
  for (const name of names) {
    expect(SERIES.has(name) || SERIES_OF_PROMETHEUS.has(name), `${name} in ${expression}`).to.equal(
      true,
    );
  }
  for (const [, name = "", labels = ""] of expression.matchAll(/\b([a-z_]+)\{([^}]*)\}/g)) {
    const family = name.replace(/_(bucket|sum|count)$/, "") as keyof typeof METRICS;
    const known = [
      "instance",
      "job",
      ...((METRICS[family] ?? METRICS[name as never])?.labels ?? []),
    ];
    for (const [, label] of labels.matchAll(/(\w+)\s*=~?"/g)) {
      expect(known, `labels of ${name}`).to.include(label);
    }
  }
}

describe("docs/metrics.md", () => {
  it("is what scripts/metrics-docs.ts writes", async () => {
    expect(await read("docs/metrics.md")).to.equal(renderMetricsDocs(METRICS));
  });
});

describe("deploy/grafana/tally.json", () => {
  it("asks only for metrics and labels that there are, and shows nearly all of them", async () => {
    const dashboard = JSON.parse(await read("deploy/grafana/tally.json"));
    const expressions: string[] = dashboard.panels.flatMap(
      ({ targets = [] }: { targets?: { expr: string }[] }) => targets.map(({ expr }) => expr),
    );
    expect(expressions).to.have.length.greaterThan(30);
    for (const expression of expressions) checkExpression(expression);
    const shown = expressions.join("\n");
    const absent = Object.keys(METRICS).filter((name) => !shown.includes(name));
    expect(absent).to.deep.equal([
      "tally_ledger_verified_timestamp_seconds",
      "tally_purge_finished_timestamp_seconds",
      "process_start_time_seconds",
      "process_open_fds",
      "nodejs_external_memory_bytes",
    ]);
  });

  it("has every panel once, none on top of another", async () => {
    const { panels } = JSON.parse(await read("deploy/grafana/tally.json"));
    const ids = panels.map(({ id }: { id: number }) => id);
    expect(new Set(ids).size).to.equal(ids.length);
    const places = panels.map(
      ({ gridPos: { x, y } }: { gridPos: { x: number; y: number } }) => `${x},${y}`,
    );
    expect(new Set(places).size).to.equal(places.length);
  });
});

describe("deploy/prometheus/tally-alerts.yaml", () => {
  it("has rules over metrics and labels that there are, each with a severity and a summary", async () => {
    const { groups } = parse(await read("deploy/prometheus/tally-alerts.yaml"));
    const rules = groups.flatMap(({ rules }: { rules: object[] }) => rules);
    expect(rules).to.have.length.greaterThan(10);
    const names = rules.map(({ alert }: { alert: string }) => alert);
    expect(new Set(names).size).to.equal(names.length);
    for (const { expr, labels, annotations } of rules) {
      checkExpression(expr);
      expect(labels.severity).to.be.oneOf(["critical", "warning", "info"]);
      expect(annotations.summary)
        .to.be.a("string")
        .and.match(/\.$|\?$/);
    }
  });
});
