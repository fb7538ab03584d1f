import { chmod, readdir } from "node:fs/promises";
import { expect } from "chai";
import { createTallyClients } from "../../src/traffic/clients.js";
import {
  createTemporaryDirectory,
  type TemporaryDirectory,
} from "../support/temporary-directory.js";
import { runTally, startTally } from "./run-tally.js";

describe("tally demo", function () {
  this.timeout(180_000);
  let directory: TemporaryDirectory;
  let env: Record<string, string>;

  before(async () => {
    directory = await createTemporaryDirectory();
    // Under root the database runs as another user, who has to pass through.
    await chmod(directory.path, 0o711);
    env = { TMPDIR: directory.path };
  });
  after(() => directory.remove());

  async function leftFolders(): Promise<string[]> {
    return (await readdir(directory.path)).filter((name) => name.startsWith("tally-demo-"));
  }

  it("reconciles every figure, the same ones each time, and leaves nothing behind", async () => {
    const args = ["demo", "--exit", "--requests", "600", "--seed", "7"];
    // A database that holds something is none of a demo's business.
    const first = await runTally(args, { ...env, DATABASE_URL: "postgres://nobody@127.0.0.1:1/x" });
    expect(first.exitCode, first.stdout + first.stderr).to.equal(0);
    expect(first.stdout).to.include("600 requests from seed 7");
    expect(figure(first.stdout, "figures that drifted")).to.equal("0");
    expect(figure(first.stdout, "lost")).to.equal("0");
    expect(first.stdout).to.match(/^quota exceeded +\d+$/m);
    const sums = [
      "answered by RecordUsage",
      "usage records",
      "budget on everything",
      "budgets of users and prepaid keys",
    ].map((name) => figure(first.stdout, name));
    expect(sums[0]).to.match(/^\$\d+\.\d{9}$/);
    expect(new Set(sums).size, sums.join(" ")).to.equal(1);
    expect(first.stdout).to.match(/^every figure agrees, to the nano-USD$/m);
    expect(await leftFolders()).to.deep.equal([]);

    const second = await runTally(args, env);
    expect(withoutChance(second.stdout)).to.equal(withoutChance(first.stdout));
  });

  it("serves on until Ctrl-C, and then leaves nothing behind", async () => {
    const running = startTally(["demo", "--requests", "20"], env);
    const [, address = ""] = await running.waitForOutput(/^Still serving on (\S+)\. Try/m);
    const clients = createTallyClients(address, 1);
    const { records, driftCount } = await clients.operations.verifyLedger({});
    clients.close();
    expect(records > 0n).to.equal(true);
    expect(driftCount).to.equal(0n);
    running.process.kill("SIGINT");
    const { exitCode, stderr } = await running.ended;
    expect(exitCode, stderr).to.equal(0);
    expect(await leftFolders()).to.deep.equal([]);
  });

  it("keeps its database when asked to, and tells where", async () => {
    const args = ["demo", "--exit", "--requests", "20", "--keep-data"];
    const { exitCode, stdout, stderr } = await runTally(args, env);
    expect(exitCode, stderr).to.equal(0);
    const [, dataDir = ""] = /TALLY_DATA_DIR=(\S+) tally serve/.exec(stdout) ?? [];
    expect(await readdir(dataDir)).to.include("postgres");
  });
});

/** The figure behind a label; undefined when there is none. */
function figure(text: string, label: string): string | undefined {
  return new RegExp(`^${label} +(\\S+)$`, "m").exec(text)?.[1];
}

/**
 * What depends on the seed alone: not the port, not the speed, and not over how many rows the
 * ledger spread its figures.
 */
function withoutChance(text: string): string {
  const sections = text.replace(/127\.0\.0\.1:\d+/g, "ADDRESS").split("\n\n");
  return sections.filter((section) => !/^(Speed|Ledger)/.test(section)).join("\n\n");
}
