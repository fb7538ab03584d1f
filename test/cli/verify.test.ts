import { expect } from "chai";
import { Command } from "commander";
import { registerVerifyCommand } from "../../src/cli/verify.js";
import { KNOWN_RECORD } from "../operations/known-record.js";
import { insertTestBudgets, recordAll } from "../operations/ledger-fixture.js";
import { type OperationsServer, startOperationsServer } from "../operations/operations-server.js";

describe("tally verify", () => {
  let operations: OperationsServer;
  let exitCode: typeof process.exitCode;

  before(async () => {
    operations = await startOperationsServer();
    await insertTestBudgets(operations.database);
    await recordAll(operations.database, [KNOWN_RECORD]);
  });
  after(() => operations.stop());

  // The command sets the exit code of the process, which here is the tests' own.
  beforeEach(() => {
    exitCode = process.exitCode;
    process.exitCode = undefined;
  });
  afterEach(() => {
    process.exitCode = exitCode;
  });

  /** What the command prints. */
  async function verify(...args: string[]): Promise<string> {
    let printed = "";
    const program = new Command("tally").exitOverride();
    registerVerifyCommand(program, { write: (text) => (printed += text) });
    const { address } = operations.server;
    await program.parseAsync(["verify", "--address", address, ...args], { from: "user" });
    return printed;
  }

  it("shows what was compared, and that it agrees", async () => {
    expect(await verify()).to.equal(
      [
        "Ledger, recomputed from the records",
        "records                                         1",
        "budget periods                                  5",
        "rollups                                         9",
        "subject totals                                  4",
        "figures that drifted                            0",
        "cost of all records                  $0.000000031",
        "",
        "the books are what the records add up to",
        "",
      ].join("\n"),
    );
    expect(process.exitCode).to.equal(undefined);
  });

  it("shows what differs, counts what it does not show, and ends with 1", async () => {
    const { knex } = operations.database;
    await knex("budget_periods").where({ budget_id: "calls" }).update({ spent: 3n });
    await knex("budget_periods").insert({
      budget_id: "a\x1b[2J\u00e9",
      period_start: new Date(0),
      spent: 3n,
    });
    await knex("usage_rollups").where({ grain: 7 }).update({ actual_cost: 0n });
    const lines = (await verify("--max-drifts", "2")).split("\n");
    expect(lines.slice(-6)).to.deep.equal([
      "Drifts                                                     figure  stored  recomputed",
      "budget_spent a\\u001b[2J\\u00e9 from 1970-01-01 00:00:00+00   spent       3           0",
      "budget_spent calls from 2026-01-14 18:15:00+00              spent       3           1",
      "",
      "3 figures are not what the records add up to (1 of them not listed)",
      "",
    ]);
    expect(process.exitCode).to.equal(1);
  });
});
