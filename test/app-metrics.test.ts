import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import {
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  BudgetWindowKind,
} from "../gen/tally/v1/usage_pb.js";
import { WatchActiveRequestsRequestSchema } from "../gen/tally/v1/usage_recorder_pb.js";
import { METRICS } from "../src/telemetry/metric-table.js";
import { startTestApp, type TestApp } from "./support/app.js";
import { eventually } from "./support/eventually.js";

/** Value of one series; undefined: there is none. */
function shown(text: string, series: string): number | undefined {
  const line = text.split("\n").find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

const calls = (method: string, code: string) =>
  `tally_call_duration_seconds_count{port="grpc",method="tally.v1.${method}",code="${code}"}`;

describe("the metrics of an app", () => {
  let app: TestApp;
  before(async () => {
    app = await startTestApp();
    await app.apply({
      users: [{ userId: "u" }],
      budgets: [
        {
          budgetId: "b",
          scope: BudgetScope.USER,
          subject: "u",
          measure: BudgetMeasure.TOKENS,
          enforcement: BudgetEnforcement.HARD,
          limit: 1_000n,
          window: { kind: BudgetWindowKind.MONTH, timeZone: "UTC" },
        },
      ],
    });
  });
  after(() => app.stop());

  it("count checks, leases, commits and calls", async () => {
    const { checker, recorder } = app.clients;
    const check = { userId: "u", estimatedTokens: 10n, reserve: true };
    for (let n = 0; n < 3; n += 1) await checker.checkQuota(check);
    await checker.checkQuota({ userId: "nobody" });
    await checker.checkQuota({ userId: "u", estimatedTokens: -1n }).catch(() => undefined);
    await recorder.recordUsage({
      usage: { requestId: "r-1", userId: "u", model: "m", inputTokens: 2_000n },
    });
    const text = await app.metrics();
    expect(shown(text, 'tally_quota_checks_total{allowed="true",reason="OK"}')).to.equal(3);
    expect(
      shown(text, 'tally_quota_checks_total{allowed="false",reason="USER_NOT_FOUND"}'),
    ).to.equal(1);
    const byMemory = shown(text, 'tally_ledger_reserves_total{answered_by="memory"}') ?? 0;
    const byDatabase = shown(text, 'tally_ledger_reserves_total{answered_by="database"}') ?? 0;
    expect(byDatabase).to.be.greaterThan(0);
    expect(byMemory + byDatabase).to.equal(3);
    expect(shown(text, "tally_ledger_reservations_open")).to.equal(3);
    expect(shown(text, 'tally_ledger_grow_seconds_count{outcome="ok"}')).to.be.greaterThan(0);
    expect(shown(text, "tally_recorder_batch_records_sum")).to.equal(1);
    expect(shown(text, 'tally_recorder_commit_seconds_count{outcome="ok"}')).to.equal(1);
    expect(shown(text, "tally_recorder_queue_depth")).to.equal(0);
    expect(shown(text, "tally_budget_overages_total")).to.equal(1);
    expect(shown(text, calls("QuotaChecker/CheckQuota", "OK"))).to.equal(4);
    expect(shown(text, calls("QuotaChecker/CheckQuota", "INVALID_ARGUMENT"))).to.equal(1);
    expect(shown(text, 'tally_calls_in_flight{port="grpc"}')).to.equal(0);
  });

  it("count streams while they are open, and calls whose caller went away as such", async () => {
    const { recorder } = app.clients;
    const stop = new AbortController();
    const open =
      'tally_streams_open{port="grpc",method="tally.v1.UsageRecorder/WatchActiveRequests"}';
    const watching = recorder.watchActiveRequests(create(WatchActiveRequestsRequestSchema), {
      signal: stop.signal,
    });
    const answers = watching[Symbol.asyncIterator]();
    await answers.next();
    expect(shown(await app.metrics(), open)).to.equal(1);
    stop.abort();
    await answers.next().catch(() => undefined);
    await eventually("the stream is closed", async () =>
      shown(await app.metrics(), open) === 0 ? true : undefined,
    );
    const text = await app.metrics();
    expect(shown(text, calls("UsageRecorder/WatchActiveRequests", "CANCELLED"))).to.equal(1);
  });

  it("count the calls of the HTTP port apart, and are shown there", async () => {
    const url = `http://${app.httpAddress}`;
    await fetch(`${url}/tally.v1.QuotaChecker/CheckQuota`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ userId: "nobody" }),
    });
    const page = await fetch(`${url}/metrics`);
    expect(page.headers.get("content-type")).to.match(/^text\/plain; version=0\.0\.4/);
    const text = await page.text();
    const byHttp = calls("QuotaChecker/CheckQuota", "OK").replace("grpc", "http");
    expect(shown(text, byHttp)).to.equal(1);
    expect(shown(text, 'tally_calls_in_flight{port="http"}')).to.equal(0);
  });

  it("tell hits of the cache from misses", async () => {
    for (let n = 0; n < 3; n += 1) await app.clients.analytics.getDailyActivity({ userId: "u" });
    const text = await app.metrics();
    expect(shown(text, 'tally_cache_reads_total{result="miss"}')).to.equal(1);
    expect(shown(text, 'tally_cache_reads_total{result="hit"}')).to.equal(2);
    expect(shown(text, "tally_cache_unanswered_total")).to.equal(0);
  });

  it("tell the drift that the last VerifyLedger found", async () => {
    await app.clients.operations.verifyLedger({});
    expect(shown(await app.metrics(), "tally_ledger_drifts")).to.equal(0);
    await app.database.knex.raw("update budget_periods set spent = spent + 1");
    await app.clients.operations.verifyLedger({});
    const text = await app.metrics();
    expect(shown(text, "tally_ledger_drifts")).to.be.greaterThan(0);
    expect(shown(text, "tally_ledger_verified_timestamp_seconds")).to.be.greaterThan(1.6e9);
    await app.database.knex.raw("update budget_periods set spent = spent - 1");
  });

  it("show pool and process", async () => {
    const text = await app.metrics();
    expect(shown(text, "tally_database_connections_limit")).to.equal(10);
    const used = shown(text, 'tally_database_connections{state="used"}') ?? Number.NaN;
    const idle = shown(text, 'tally_database_connections{state="idle"}') ?? Number.NaN;
    expect(used + idle).to.be.within(1, 10);
    expect(shown(text, "process_resident_memory_bytes")).to.be.greaterThan(1e7);
    expect(shown(text, 'tally_event_loop_lag_seconds{quantile="1"}')).to.be.within(0, 60);
  });

  it("are all in the table, and hold nothing that callers made up", async () => {
    const { checker } = app.clients;
    await checker.checkQuota({
      userId: "made-up-user",
      apiKeyId: "made-up-key",
      model: "made-up-model",
    });
    const text = await app.metrics();
    expect(text).not.to.include("made-up");
    const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(families).to.have.members(Object.keys(METRICS));
    const series = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    expect(series.length).to.be.lessThan(1_000);
  });
});

describe("failed logins", () => {
  it("are counted by their reason", async () => {
    const app = await startTestApp({ env: { TALLY_AUTH: "required" } });
    try {
      const { checker } = app.clients;
      await checker.checkQuota({ userId: "u" }).catch(() => undefined);
      const headers = { authorization: "Bearer tally_wrong" };
      await checker.checkQuota({ userId: "u" }, { headers }).catch(() => undefined);
      const text = await app.metrics();
      expect(shown(text, 'tally_failed_logins_total{reason="CREDENTIALS_MISSING"}')).to.equal(1);
      expect(shown(text, 'tally_failed_logins_total{reason="CREDENTIALS_INVALID"}')).to.equal(1);
      expect(shown(text, calls("QuotaChecker/CheckQuota", "UNAUTHENTICATED"))).to.equal(2);
    } finally {
      await app.stop();
    }
  });
});
