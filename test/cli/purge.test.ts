import { expect } from "chai";
import { Command } from "commander";
import { registerPurgeCommand } from "../../src/cli/purge.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { recordAges } from "../usage/retention/retention-fixture.js";
import { USAGE_CATALOG } from "../usage/usage-fixture.js";

describe("tally purge", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
    await recordAges(app, [1, 29, 31, 100]);
  });
  after(() => app.stop());

  it("purges a running server and tells what went", async () => {
    let [printed, progress] = ["", ""];
    const program = new Command("tally").exitOverride();
    registerPurgeCommand(
      program,
      { write: (text) => (printed += text) },
      { write: (text) => (progress += text) },
    );
    const args = ["--address", app.address, "--days-to-keep", "30", "--batch-size", "1"];
    await program.parseAsync(["purge", ...args], { from: "user" });
    const lines = printed.split("\n").map((line) => line.replace(/ {2,}/, ": "));
    expect(lines.slice(0, 5)).to.deep.equal([
      "Purged",
      "records: 2",
      "payloads that lost their bodies: 0",
      "payloads that lost their headers: 0",
      "keys of records purged before: 0",
    ]);
    expect(progress).to.match(/(^|\n)2 records purged\n$/);
  });
});
