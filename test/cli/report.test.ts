import { expect } from "chai";
import { Command } from "commander";
import { TokenConvention, UsageStatus } from "../../gen/tally/v1/usage_pb.js";
import { registerReportCommands } from "../../src/cli/report.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { rpcFailure } from "../support/rpc-failure.js";
import { at, USAGE_CATALOG, usage } from "../usage/usage-fixture.js";

const RANGE = ["--from", "2026-05-05T00:00:00Z", "--to", "2026-05-07T00:00:00Z"];

describe("tally report", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp({ nowMs: () => Date.parse("2026-05-07T09:30:00Z") });
    await app.apply(USAGE_CATALOG);
    await app.apply({ users: [{ userId: "ann", email: "ann@example.com", username: "Ann" }] });
    const common = { provider: "acme", providerApiKeyId: "cheap", responseTimeMs: 1_000n };
    const day = at("2026-05-05T12:00:00Z");
    const evening = at("2026-05-06T22:30:00Z");
    for (const input of [
      { ...common, userId: "ann", createTime: day, inputTokens: 1_000n },
      { ...common, userId: 'b,"o"b', createTime: day, inputTokens: 500n },
      { ...common, userId: "ann", createTime: evening, inputTokens: 2_000n },
      { ...common, userId: "ann", createTime: evening, status: UsageStatus.FAILED },
    ]) {
      await app.clients.recorder.recordUsage({
        usage: usage({ outputTokens: 10n, apiKeyId: "k", ...input }),
      });
    }
  });
  after(() => app.stop());

  async function report(args: readonly string[], isTTY = false): Promise<string> {
    let printed = "";
    const program = new Command("tally").exitOverride();
    registerReportCommands(program, { isTTY, write: (text) => (printed += text) });
    await program.parseAsync(["report", ...args, "--address", app.address], { from: "user" });
    return printed;
  }

  async function csv(args: readonly string[]): Promise<Record<string, string>[]> {
    const [names = [], ...rows] = parseCsv(await report([...args, "--format", "csv"]));
    return rows.map((row) => {
      expect(row).to.have.length(names.length);
      return Object.fromEntries(names.map((name, index) => [name, row[index]!]));
    });
  }

  describe("summary", () => {
    it("shows periods of a time zone with their total", async () => {
      const zone = ["--time-zone", "Asia/Kathmandu", "--by", "day", "--split", "model"];
      expect(await report(["summary", ...RANGE, ...zone])).to.equal(GOLDEN_SUMMARY);
    });

    it("adds up as CSV, exactly", async () => {
      const rows = await csv(["summary", ...RANGE, "--by", "hour", "--split", "user", "status"]);
      expect(
        rows.map(({ start_time, user, status, requests }) => [start_time, user, status, requests]),
      ).to.deep.equal([
        ["2026-05-05T12:00:00.000Z", "ann", "COMPLETED", "1"],
        ["2026-05-05T12:00:00.000Z", 'b,"o"b', "COMPLETED", "1"],
        ["2026-05-06T22:00:00.000Z", "ann", "COMPLETED", "1"],
        ["2026-05-06T22:00:00.000Z", "ann", "FAILED", "1"],
      ]);
      const [total] = await csv(["summary", ...RANGE, "--by", "total", "--split", "none"]);
      const sum = rows.reduce((cost, row) => cost + nanoUsd(row.cost_usd!), 0n);
      expect(total!.cost_usd).to.match(/^0\.\d{9}$/);
      expect(nanoUsd(total!.cost_usd!)).to.equal(sum);
      expect(total!.actual_cost_usd).to.not.equal(total!.cost_usd);
    });

    it("is the server's answer as JSON, with filters", async () => {
      const json = JSON.parse(
        await report(["summary", ...RANGE, "--by", "total", "--user", "ann", "--format", "json"]),
      );
      expect(json.rows).to.have.length(1);
      expect(json.total.requests).to.equal("3");
      expect(json.startTime).to.equal("2026-05-05T00:00:00Z");
      const none = ["--provider", "nowhere", "--model", "m", "--api-key", "k", "--hours", "48"];
      expect(JSON.parse(await report(["summary", ...none, "--format", "json"])).rows).to.equal(
        undefined,
      );
    });

    it("passes on what the server refuses", async () => {
      const { details } = await rpcFailure(report(["summary", ...RANGE, "--hours", "5"]));
      expect(details.badRequest?.fieldViolations[0]?.description).to.include("start_time");
      const zone = await rpcFailure(report(["heatmap", "--time-zone", "Nowhere/Land"]));
      expect(zone.message).to.include('"Nowhere/Land"');
    });
  });

  describe("top-users", () => {
    it("lists them, the largest first", async () => {
      expect(await report(["top-users", ...RANGE])).to.equal(GOLDEN_TOP_USERS);
      const rows = await csv(["top-users", ...RANGE, "--order-by", "requests", "--limit", "1"]);
      expect(rows).to.have.length(1);
      expect(rows[0]).to.include({ user_id: "ann", email: "ann@example.com", requests: "3" });
    });

    it("is the server's answer as JSON", async () => {
      const json = JSON.parse(await report(["top-users", ...RANGE, "--format", "json"]));
      expect(json.users.map(({ userId }: { userId: string }) => userId)).to.deep.equal([
        "ann",
        'b,"o"b',
      ]);
    });
  });

  describe("heatmap", () => {
    it("draws days in ASCII where there is no terminal", async () => {
      expect(await report(["heatmap", "--days", "10"])).to.equal(GOLDEN_HEATMAP);
    });

    it("draws in colour on a terminal, unless NO_COLOR is set", async () => {
      expect(await report(["heatmap", "--days", "10"], true)).to.include("\x1b[38;5;40m\u25a0");
      const before = process.env.NO_COLOR;
      process.env.NO_COLOR = "1";
      try {
        expect(await report(["heatmap", "--days", "10"], true)).to.equal(GOLDEN_HEATMAP);
      } finally {
        if (before === undefined) delete process.env.NO_COLOR;
        else process.env.NO_COLOR = before;
      }
    });

    it("lists every day as CSV and JSON, in the zone's days", async () => {
      const zone = ["--days", "4", "--time-zone", "Asia/Kathmandu", "--user", "ann"];
      const rows = await csv(["heatmap", ...zone]);
      expect(rows.map(({ date, requests }) => [date, requests])).to.deep.equal([
        ["2026-05-04", "0"],
        ["2026-05-05", "1"],
        ["2026-05-06", "0"],
        ["2026-05-07", "2"],
      ]);
      const json = JSON.parse(await report(["heatmap", ...zone, "--format", "json"]));
      expect(json.days).to.have.length(4);
      expect(json.maxRequests).to.equal("2");
      const byCost = await report(["heatmap", ...zone, "--show", "cost"]);
      expect(byCost).to.match(/most cost, on 2026-05-07 +\$0\.\d{9}\n$/);
    });
  });

  describe("cache-hits", () => {
    before(async () => {
      const cached = { tokenConvention: TokenConvention.CACHE_EXCLUSIVE, inputTokens: 100n };
      const createTime = at("2026-04-05T12:00:00Z");
      for (const cacheReadInputTokens of [900n, 0n]) {
        const cacheCreationInputTokens = 1_000n - cacheReadInputTokens;
        const tokens = { ...cached, cacheReadInputTokens, cacheCreationInputTokens };
        const input = usage({ ...tokens, userId: "cy", provider: "acme", createTime });
        await app.clients.recorder.recordUsage({ usage: input });
      }
    });
    const april = ["--from", "2026-04-05T00:00:00Z", "--to", "2026-04-06T00:00:00Z"];

    it("tells rates and savings", async () => {
      expect(await report(["cache-hits", ...april])).to.equal(GOLDEN_CACHE_HITS);
    });

    it("is one line of CSV, and the server's answer as JSON", async () => {
      const rows = await csv(["cache-hits", ...april, "--user", "cy"]);
      expect(rows).to.have.length(1);
      expect(rows[0]).to.include({
        requests: "2",
        requests_with_hit: "1",
        request_hit_rate: "0.5",
      });
      // 900 x ($3 - $0.30) less 1,100 x ($3.75 - $3) per million.
      expect(rows[0]).to.include({
        gross_savings_usd: "0.002430000",
        net_savings_usd: "0.001605000",
      });
      const json = JSON.parse(await report(["cache-hits", ...april, "--format", "json"]));
      expect(json.savings).to.deep.equal({ grossNanoUsd: "2430000", netNanoUsd: "1605000" });
    });
  });
});

/** RFC 4180. */
function parseCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  for (const [, quoted, plain, end] of text.matchAll(
    /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/g,
  )) {
    row.push(quoted?.replaceAll('""', '"') ?? plain ?? "");
    if (end === ",") continue;
    rows.push(row);
    row = [];
  }
  return rows;
}

function nanoUsd(usd: string): bigint {
  return BigInt(usd.replace(".", ""));
}

const GOLDEN_SUMMARY = `\
2026-05-05 05:45 to 2026-05-07 05:45, Asia/Kathmandu  requests  failed  tokens          cost   actual cost  p50 ms  p95 ms
2026-05-05  sonnet                                           2       0   1,520  $0.008800000  $0.007480000     993     993
2026-05-07  sonnet                                           2       1   3,020  $0.013300000  $0.011305000     993     993
total                                                        4       1   4,540  $0.022100000  $0.018785000     993     993
`;
const GOLDEN_TOP_USERS = `\
2026-05-05 00:00 to 2026-05-07 00:00, UTC  requests  tokens          cost   actual cost
ann <ann@example.com>                             3   4,030  $0.018450000  $0.015682500
b,"o"b                                            1     510  $0.003650000  $0.003102500
`;
const GOLDEN_HEATMAP = `\
     May
 Mon  .
     .#
 Wed .#
     ..
 Fri .
     .
 Sun .

     less .-+*# more

2026-04-28 to 2026-05-07, UTC
requests                                  4
failed                                    1
tokens                                4,540
cost                           $0.022100000
most requests, on 2026-05-05              2
`;

const GOLDEN_CACHE_HITS = `\
2026-04-05 00:00 to 2026-04-06 00:00, UTC
requests                                              2
requests with a hit                                   1
hits by request                                  50.0 %
hits by token, of input and read                 81.8 %
hits by token, of all of the prompt              40.9 %
input tokens                                        200
written tokens                                    1,100
read tokens                                         900
cost of writing                            $0.004125000
cost of reading                            $0.000270000
actual cost of both                        $0.004395000
gross savings                              $0.002430000
net savings                                $0.001605000
actual gross savings                       $0.002430000
actual net savings                         $0.001605000
requests without a price                              0
`;
