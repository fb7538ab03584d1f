import { create } from "@bufbuild/protobuf";
import { expect } from "chai";
import { VerifyLedgerResponseSchema } from "../../gen/tally/v1/operations_pb.js";
import { createStyle } from "../../src/cli/style.js";
import { renderTables } from "../../src/cli/table.js";
import { driftLines, ledgerTable, trafficTables } from "../../src/cli/traffic-report.js";
import { createCallTimings } from "../../src/traffic/call-timings.js";
import { createTrafficTotals } from "../../src/traffic/traffic-totals.js";

const PLAIN = createStyle({ isTTY: false }, undefined);

function rowsOf(title: string, tables: ReturnType<typeof trafficTables>) {
  return tables.find((table) => table.title === title)?.rows;
}

describe("trafficTables", () => {
  const timing = { elapsedMs: 2_000, timings: createCallTimings(), retries: 0 };

  it("shows the three largest users, the dearest first and equal ones by name", () => {
    const totals = createTrafficTotals();
    totals.byUser.set("carol", { requests: 1, costNanoUsd: 5n });
    totals.byUser.set("ada", { requests: 2, costNanoUsd: 10n ** 18n });
    totals.byUser.set("dan", { requests: 3, costNanoUsd: 4n });
    totals.byUser.set("bob", { requests: 1_000, costNanoUsd: 5n });
    expect(rowsOf("Largest users", trafficTables(totals, timing))).to.deep.equal([
      ["ada", "2", "$1,000,000,000.000000000"],
      ["bob", "1,000", "$0.000000005"],
      ["carol", "1", "$0.000000005"],
    ]);
  });

  it("adds up tokens, and leaves out counts of what did not happen", () => {
    const totals = { ...createTrafficTotals(), requests: 4, recorded: 3, released: 1 };
    totals.tokens.input = 1n;
    totals.tokens.output = 20n;
    totals.tokens.cacheCreation = 300n;
    totals.tokens.cacheRead = 4_000n;
    const tables = trafficTables(totals, timing);
    expect(rowsOf("Tokens", tables)?.at(-1)).to.deep.equal(["total", "4,321"]);
    expect(rowsOf("Requests", tables)?.map(([name]) => name)).to.deep.equal([
      "checked",
      "recorded",
      "released before they were sent",
      "lost",
    ]);
  });

  it("counts answered calls per second", async () => {
    const timings = createCallTimings();
    for (let call = 0; call < 5; call += 1) await timings.check.measure(async () => call);
    const rows = rowsOf("Speed", trafficTables(createTrafficTotals(), { ...timing, timings }));
    expect(rows?.[2]).to.deep.equal(["calls per second", "3"]);
    expect(rows?.[1]).to.deep.equal(["RecordUsage", "0", "0.00 ms", "0.00 ms"]);
  });
});

describe("ledgerTable and driftLines", () => {
  const verified = create(VerifyLedgerResponseSchema, {
    records: 12_031n,
    driftCount: 20n,
    drifts: Array.from({ length: 20 }, () => ({
      check: "subject_totals",
      subject: "user \x1b[31mada",
      figure: "cost_nano_usd",
      stored: "7",
      recomputed: "5",
    })),
  });

  it("show what was found", () => {
    const text = renderTables([ledgerTable(verified)], PLAIN);
    expect(text)
      .to.match(/^records +12,031$/m)
      .and.to.match(/^figures that drifted +20$/m);
  });

  it("show the first drifts, and no control characters of callers' ids", () => {
    const lines = driftLines(verified);
    expect(lines).to.have.length(10);
    expect(lines[0]).to.equal(
      "drift: subject_totals user \\u001b[31mada: cost_nano_usd is 7, its records say 5",
    );
  });
});
