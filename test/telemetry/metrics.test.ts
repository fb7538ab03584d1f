import { expect } from "chai";
import fc from "fast-check";
import { BucketHistogram } from "../../src/telemetry/bucket-histogram.js";
import { createCallMeter } from "../../src/telemetry/call-metrics.js";
import { METRICS } from "../../src/telemetry/metric-table.js";
import { createMetrics } from "../../src/telemetry/metrics.js";

describe("createMetrics", () => {
  it("shows what was counted, and help and type of every metric", async () => {
    const metrics = createMetrics();
    metrics.add("tally_budget_overages_total");
    metrics.add("tally_budget_overages_total", 2);
    metrics.add("tally_failed_logins_total", 1, ["CREDENTIALS_INVALID"]);
    metrics.add("tally_failed_logins_total", 1, ["CREDENTIALS_INVALID"]);
    metrics.set("tally_build_info", 1, ["0.1.0", "v20"]);
    const lines = (await metrics.text()).split("\n");
    expect(lines).to.include("tally_budget_overages_total 3");
    expect(lines).to.include('tally_failed_logins_total{reason="CREDENTIALS_INVALID"} 2');
    expect(lines).to.include('tally_build_info{version="0.1.0",node="v20"} 1');
    expect(lines).to.include("tally_ledger_swept_leases_total 0");
    for (const [name, { type }] of Object.entries(METRICS)) {
      expect(lines).to.include(`# TYPE ${name} ${type}`);
    }
  });

  it("reads at the scrape what is only looked at then", async () => {
    const metrics = createMetrics();
    let depth = 1;
    metrics.onScrape(() => metrics.set("tally_recorder_queue_depth", depth));
    expect(await metrics.text()).to.match(/^tally_recorder_queue_depth 1$/m);
    depth = 7;
    expect(await metrics.text()).to.match(/^tally_recorder_queue_depth 7$/m);
  });

  it("keeps the metrics of two apps apart", async () => {
    const [one, other] = [createMetrics(), createMetrics()];
    one.add("tally_budget_overages_total");
    expect(await other.text()).to.match(/^tally_budget_overages_total 0$/m);
  });
});

describe("BucketHistogram", () => {
  it("counts every value in all buckets whose bound is not below it", () => {
    const bounds = [1, 2, 5, 10];
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 12 })), (values) => {
        const histogram = new BucketHistogram(bounds);
        for (const value of values) histogram.observe(value);
        const samples = histogram.samples("h", { a: "b" });
        const expected = [...bounds, Number.POSITIVE_INFINITY].map(
          (bound) => values.filter((value) => value <= bound).length,
        );
        expect(samples.slice(0, 5).map(({ value }) => value)).to.deep.equal(expected);
        expect(samples.slice(0, 5).map(({ labels }) => labels.le)).to.deep.equal([
          "1",
          "2",
          "5",
          "10",
          "+Inf",
        ]);
        const sum = values.reduce((total, value) => total + value, 0);
        expect(samples[5]).to.deep.equal({ metricName: "h_sum", labels: { a: "b" }, value: sum });
        expect(samples[6]).to.include({ metricName: "h_count", value: values.length });
      }),
    );
  });
});

describe("createCallMeter", () => {
  it("tells calls under way from those that ended, by code", async () => {
    const metrics = createMetrics();
    const meter = createCallMeter(metrics, "grpc", (code) => `CODE_${code}`);
    const unary = meter.begin({ method: "S/M", isStreaming: false });
    const stream = meter.begin({ method: "S/W", isStreaming: true });
    const during = await metrics.text();
    expect(during).to.include('tally_calls_in_flight{port="grpc"} 1\n');
    expect(during).to.include('tally_streams_open{port="grpc",method="S/W"} 1\n');
    unary.end(0);
    stream.end(14);
    const after = await metrics.text();
    expect(after).to.include('tally_calls_in_flight{port="grpc"} 0\n');
    expect(after).to.include('tally_streams_open{port="grpc",method="S/W"} 0\n');
    const counted = (method: string, code: string) =>
      `tally_call_duration_seconds_count{port="grpc",method="${method}",code="${code}"} 1\n`;
    expect(after).to.include(counted("S/M", "CODE_0"));
    expect(after).to.include(counted("S/W", "CODE_14"));
  });
});
