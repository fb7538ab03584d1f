import { expect } from "chai";
import { Command } from "commander";
import { registerRollupCommands } from "../../src/cli/rollup.js";
import { startTestApp, type TestApp } from "../support/app.js";
import { expectBalancedBooks } from "../support/books.js";
import { at, USAGE_CATALOG, usage } from "../usage/usage-fixture.js";

describe("tally rollup rebuild", () => {
  let app: TestApp;

  before(async () => {
    app = await startTestApp();
    await app.apply(USAGE_CATALOG);
    for (const createTime of [at("2026-05-05T12:00:00Z"), at("2026-05-06T12:00:00Z")]) {
      await app.clients.recorder.recordUsage({ usage: usage({ createTime }) });
    }
  });
  after(() => app.stop());

  async function rebuild(): Promise<{ printed: string; progress: string }> {
    let [printed, progress] = ["", ""];
    const program = new Command("tally").exitOverride();
    registerRollupCommands(
      program,
      { write: (text) => (printed += text) },
      { write: (text) => (progress += text) },
    );
    await program.parseAsync(["rollup", "rebuild", "--address", app.address], { from: "user" });
    return { printed, progress };
  }

  it("sets wrong rollups right and tells how many there were", async () => {
    await app.database.knex("usage_rollups").where({ grain: 7 }).update({ cost_input: 1 });
    const { printed, progress } = await rebuild();
    expect(printed).to.equal(
      [
        "Rebuilt",
        "days                     3",
        "records                  2",
        "rollups that were wrong  1",
        "",
      ].join("\n"),
    );
    expect(progress).to.equal("3 of 3 days, 2 records added up\n");
    await expectBalancedBooks(app);
    expect((await rebuild()).printed).to.match(/wrong +0\n/);
  });
});
