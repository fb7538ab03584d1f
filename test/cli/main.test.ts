import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { runTally } from "./run-tally.js";

describe("tally", function () {
  this.timeout(60_000);

  it("lists its commands with --help", async () => {
    const { exitCode, stdout, stderr } = await runTally(["--help"]);
    expect({ exitCode, stderr }).to.deep.equal({ exitCode: 0, stderr: "" });
    for (const command of ["serve", "migrate", "demo", "replay", "catalog", "verify"]) {
      expect(stdout).to.match(new RegExp(`^ {2}${command}`, "m"));
    }
  });

  it("tells its version", async () => {
    const { version } = JSON.parse(
      await readFile(new URL("../../package.json", import.meta.url), "utf8"),
    );
    const { exitCode, stdout } = await runTally(["--version"]);
    expect({ exitCode, stdout }).to.deep.equal({ exitCode: 0, stdout: `${version}\n` });
  });

  for (const [command, option] of [
    ["demo", "--seed"],
    ["replay", "--retry-for"],
    ["serve", "--help"],
    ["migrate", "--help"],
  ] as const) {
    it(`explains ${command}`, async () => {
      const { exitCode, stdout } = await runTally([command, "--help"]);
      expect(exitCode).to.equal(0);
      expect(stdout).to.include(`Usage: tally ${command}`).and.to.include(option);
    });
  }

  it("shows what there is when no command is given", async () => {
    const { exitCode, stdout, stderr } = await runTally([]);
    expect({ exitCode, stdout }).to.deep.equal({ exitCode: 1, stdout: "" });
    expect(stderr).to.include("Usage: tally");
  });

  const REFUSED: readonly (readonly [
    args: readonly string[],
    env: Record<string, string>,
    text: string,
  ])[] = [
    [["sevre"], {}, "error: unknown command 'sevre'\n(Did you mean serve?)"],
    [["serve", "--port", "1"], {}, "error: unknown option '--port'"],
    [["replay"], {}, "error: missing required argument 'file'"],
    [
      ["replay", "x", "--speed", "0"],
      {},
      "argument '0' is invalid. It must be \"max\" or a factor",
    ],
    [["demo", "--requests", "many"], {}, "It must be a whole number from 1 to 200000."],
    [
      ["replay", "/nowhere/trace.jsonl"],
      {},
      "error: ENOENT: no such file or directory, open '/nowhere/trace.jsonl'\n",
    ],
    [
      ["serve"],
      { TALLY_LOG_LEVEL: "loud", TALLY_RECORDER_LANES: "0" },
      "error: invalid configuration\n" +
        '  TALLY_RECORDER_LANES: must be a whole number from 1 to 32 (was "0")\n' +
        "  TALLY_LOG_LEVEL: must be one of",
    ],
    [
      ["serve"],
      { DATABASE_URL: "postgres://tally@127.0.0.1:1/tally", TALLY_LOG_LEVEL: "silent" },
      "hint: check DATABASE_URL and that PostgreSQL runs",
    ],
  ];
  for (const [args, env, text] of REFUSED) {
    const settings = Object.entries(env).map(([name, value]) => `${name}=${value} `);
    it(`fails readably for ${settings.join("")}tally ${args.join(" ")}`, async () => {
      const { exitCode, stdout, stderr } = await runTally(args, env);
      expect(exitCode).to.equal(1);
      expect(stdout).to.equal("");
      expect(stderr).to.include(text);
      expect(stderr, "no stack").not.to.match(/^ {4}at /m);
    });
  }

  it("shows the stack at log level debug", async () => {
    const { stderr } = await runTally(["replay", "/nowhere"], { TALLY_LOG_LEVEL: "debug" });
    expect(stderr).to.match(/^error: ENOENT.*\nError: ENOENT/);
  });
});

describe("bin/tally.js", () => {
  it("tells how to build when nothing is built", async () => {
    const root = await mkdtemp(join(tmpdir(), "tally-bin-"));
    try {
      const program = join(root, "bin", "tally.mjs");
      await mkdir(join(root, "bin"));
      await copyFile(new URL("../../bin/tally.js", import.meta.url), program);
      const ended = await promisify(execFile)(process.execPath, [program]).catch((error) => error);
      expect(ended).to.deep.include({
        code: 1,
        stdout: "",
        stderr: "error: Tally is not built yet\nhint: npm run build\n",
      });
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
