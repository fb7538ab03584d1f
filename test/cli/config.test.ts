import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { startTally } from "./run-tally.js";

describe("tally config check", () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "tally-config-"));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("prints each setting with its source, and no secret", async () => {
    const path = join(folder, "good.yaml");
    await writeFile(
      path,
      "log_level: warn\ndatabase_url: postgres://u:hidden@db/tally?password=hidden\n",
    );
    const { exitCode, stdout, stderr } = await startTally(["config", "check", "--config", path], {
      TALLY_QUOTA_TIMEOUT: "3s",
      TALLY_LOG_LEVL: "info",
    }).ended;
    expect(exitCode, stderr).to.equal(0);
    expect(stdout).to.match(/^TALLY_LOG_LEVEL +warn +\S+good\.yaml:1$/m);
    expect(stdout).to.match(/^TALLY_QUOTA_TIMEOUT +3s +environment$/m);
    expect(stdout).to.match(/^TALLY_SHUTDOWN_GRACE +10s +default$/m);
    expect(stdout).to.match(/^DATABASE_URL +postgres:\/\/u:\*+@db\/tally\?password=\*+ +\S+:2$/m);
    expect(stdout + stderr).not.to.include("hidden");
    expect(stderr).to.equal(
      "warning: TALLY_LOG_LEVL is no setting; did you mean TALLY_LOG_LEVEL?\n",
    );
  });

  it("names every problem, what to do next, and exits with 1", async () => {
    const path = join(folder, "bad.yaml");
    await writeFile(path, "log_levl: warn\ndatabase_url: mysql://u:hidden@db/tally\n");
    const { exitCode, stdout, stderr } = await startTally(["config", "check"], {
      TALLY_CONFIG: path,
      TALLY_RECORDER_LANES: "0",
    }).ended;
    expect(exitCode).to.equal(1);
    expect(stdout).to.match(/^TALLY_RECORDER_LANES +\(not allowed\) +environment$/m);
    expect(stderr).to.match(/bad\.yaml:1: "log_levl" is no setting; did you mean log_level\?/);
    expect(stderr).to.match(/bad\.yaml:2: database_url: must be a URL such as/);
    expect(stderr).to.match(/TALLY_RECORDER_LANES: must be a whole number/);
    expect(stderr).to.match(/^hint: docs\/configuration\.md /m);
    expect(stdout + stderr).not.to.include("hidden");
  });
});

describe("tally serve --config", () => {
  it("does not start on a file with problems", async () => {
    const { exitCode, stderr } = await startTally(["serve", "--config", "/nowhere/tally.yaml"])
      .ended;
    expect(exitCode).to.equal(1);
    expect(stderr).to.match(
      /^error: invalid configuration\n {2}\/nowhere\/tally\.yaml: cannot be read/,
    );
  });
});
