import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { checkConfig, loadConfig } from "../src/config.js";
import { fileKeyOf, parseConfigFile } from "../src/config-file.js";
import { SETTINGS } from "../src/config-settings.js";

const problemsOf = (text: string) => parseConfigFile("t.yaml", text).problems;

describe("a configuration file", () => {
  let folder: string;
  let path: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), "tally-config-"));
    path = join(folder, "tally.yaml");
  });
  after(() => rm(folder, { recursive: true, force: true }));

  it("has a key of its own for every setting", () => {
    const keys = Object.values(SETTINGS).map(({ name }) => fileKeyOf(name));
    expect(new Set(keys).size).to.equal(keys.length);
    for (const key of keys) expect(key).to.match(/^[a-z][a-z_]*$/);
  });

  it("gives settings, which variables win over, as they do over defaults", async () => {
    await writeFile(path, "log_level: debug\nrecorder_lanes: 3 # lanes\nshutdown_grace: 1.50s\n");
    const config = loadConfig({ TALLY_CONFIG: path, TALLY_RECORDER_LANES: "4" });
    expect(config.log.level).to.equal("debug");
    expect(config.recorder.lanes).to.equal(4);
    expect(config.shutdown.graceMs).to.equal(1_500);
    const sources = Object.fromEntries(
      checkConfig({ TALLY_CONFIG: path, TALLY_RECORDER_LANES: "4" }).settings.map(
        ({ key, source }) => [key, source],
      ),
    );
    expect(sources).to.include({
      logLevel: "file",
      recorderLanes: "environment",
      quotaTimeoutMs: "default",
      databaseUrl: "unset",
    });
  });

  it("takes empty values and variables for unset", async () => {
    await writeFile(path, "log_level:\nrecorder_lanes: 3\nquota_timeout: ''\n");
    const config = loadConfig({ TALLY_CONFIG: path, TALLY_RECORDER_LANES: "" });
    expect(config).to.deep.equal(loadConfig({ TALLY_RECORDER_LANES: "3" }));
    await writeFile(path, "# nothing\n");
    expect(loadConfig({ TALLY_CONFIG: path })).to.deep.equal(loadConfig({}));
  });

  it("is told of with variables and contradictions in one list of problems, each with its line", async () => {
    await writeFile(path, "log_levl: x\nshutdown_grace: soon\ndatabase_pool_size: 2\n");
    const env = { TALLY_CONFIG: path, TALLY_RECORDER_BATCH_SIZE: "no" };
    expect(checkConfig(env).problems.map((problem) => problem.replace(path, "FILE"))).to.deep.equal(
      [
        'FILE:1: "log_levl" is no setting; did you mean log_level?',
        'TALLY_RECORDER_BATCH_SIZE: must be a whole number from 1 to 4096 (was "no")',
        'FILE:2: shutdown_grace: must be a duration with its unit (ms, s, m or h) from 0s to 10m, such as 10s (was "soon")',
        "FILE:3: database_pool_size: must be larger than TALLY_RECORDER_LANES, 2 (was 2)",
      ],
    );
  });

  it("suggests a key only when one is near", () => {
    expect(problemsOf("TALLY_AUTH: none")).to.deep.equal([
      't.yaml:1: "TALLY_AUTH" is no setting; did you mean auth?',
    ]);
    expect(problemsOf("elephants: 2")).to.deep.equal(['t.yaml:1: "elephants" is no setting']);
  });

  it("refuses lists, mappings, keys that come twice and what is no YAML", () => {
    expect(problemsOf("log_level: [info]")[0]).to.match(/^t.yaml:1: log_level: must be a single/);
    expect(problemsOf("log_level: {a: b}")[0]).to.match(/^t.yaml:1: log_level: must be a single/);
    expect(problemsOf("- log_level")[0]).to.match(/^t.yaml: must be settings, one a line/);
    expect(problemsOf("log_level")[0]).to.match(/^t.yaml: must be settings, one a line/);
    expect(problemsOf("auth: none\nauth: none")).to.deep.equal([
      "t.yaml:2: Map keys must be unique",
    ]);
  });

  it("never repeats the text around a mistake, which may be a password", () => {
    for (const text of [
      "database_url: [postgres://secret",
      'database_url: "secret\n\tx',
      "a: b: secret",
    ]) {
      const problems = problemsOf(text);
      expect(problems).not.to.have.length(0);
      expect(problems.join("\n")).not.to.include("secret");
    }
  });

  it("has to be there", () => {
    const [problem] = checkConfig({ TALLY_CONFIG: join(folder, "none.yaml") }).problems;
    expect(problem).to.match(/none\.yaml: cannot be read: ENOENT/);
  });
});
