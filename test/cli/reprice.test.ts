import { expect } from "chai";
import { Command } from "commander";
import { registerRepriceCommand } from "../../src/cli/reprice.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { at, USAGE_CATALOG, usage } from "../usage/usage-fixture.js";

describe("tally reprice", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
    for (const model of ["sonnet", "sonnet", "unknown"]) {
      const createTime = at("2026-05-05T12:00:00Z");
      await app.clients.recorder.recordUsage({ usage: usage({ model, createTime }) });
    }
    const tiers = [{ inputNanoUsdPerMillion: 6_000_000_000n }];
    await app.apply({ prices: [{ model: "sonnet", price: { tiers } }] });
  });
  after(() => app.stop());

  async function reprice(...args: string[]): Promise<{ printed: string; progress: string }> {
    let [printed, progress] = ["", ""];
    const program = new Command("tally").exitOverride();
    registerRepriceCommand(
      program,
      { write: (text) => (printed += text) },
      { write: (text) => (progress += text) },
    );
    const range = ["--start", "2026-05-01T00:00:00Z", "--end", "2026-06-01T00:00:00Z"];
    await program.parseAsync(["reprice", "--address", app.address, ...range, ...args], {
      from: "user",
    });
    return { printed, progress };
  }

  it("shows the difference in a dry run, and then makes it", async () => {
    const { printed } = await reprice("--dry-run");
    expect(printed).to.equal(
      [
        "Repricing, not done",
        "records                    3",
        "would change               2",
        "left, for want of a price  1",
        "",
        "Difference by model        records   list before    list after  actual before  actual after",
        "sonnet                           2  $0.013000000  $0.012000000   $0.013000000  $0.012000000",
        "",
      ].join("\n"),
    );
    const real = await reprice("--request-id", "mine", "--model", "sonnet");
    expect(real.printed).to.match(/^Repriced\nrecords +2\nchanged +2\n/);
    expect(real.progress).to.include("goes on with --request-id mine");
    expect((await reprice("--dry-run")).printed).to.match(/would change +0\n/);
  });
});
