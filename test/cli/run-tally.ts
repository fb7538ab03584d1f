import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../../src/main.ts", import.meta.url));

/** How a command ended. */
export interface Ended {
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command under way. */
export interface Running {
  readonly process: ChildProcess;
  /** What it has written so far. */
  stdout(): string;
  stderr(): string;
  /** Resolves with the match as soon as standard output has one. */
  waitForOutput(pattern: RegExp): Promise<RegExpExecArray>;
  readonly ended: Promise<Ended>;
}

/** What a test that failed has left running ends with the tests. */
const underWay = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of underWay) child.kill("SIGKILL");
});

/** Starts the command line from its source. Settings of the environment are not passed on. */
export function startTally(args: readonly string[], env: Record<string, string> = {}): Running {
  const inherited = { ...process.env };
  for (const name of Object.keys(inherited)) {
    if (name.startsWith("TALLY_") || name === "DATABASE_URL") delete inherited[name];
  }
  const child = spawn(process.execPath, ["--import", "tsx", MAIN, ...args], {
    env: { ...inherited, TALLY_HTTP_ADDRESS: "127.0.0.1:0", ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  underWay.add(child);
  child.once("exit", () => underWay.delete(child));
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const ended = once(child, "close").then(([exitCode, signal]) => ({
    exitCode,
    signal,
    stdout,
    stderr,
  }));
  return {
    process: child,
    stdout: () => stdout,
    stderr: () => stderr,
    waitForOutput,
    ended,
  };

  function waitForOutput(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(stdout);
        if (match !== null) resolve(match);
      };
      child.stdout.on("data", look);
      child.once("close", () => {
        reject(new Error(`ended without ${pattern}:\n${stdout}\n${stderr}`));
      });
      look();
    });
  }
}

/** Runs a command to its end. */
export function runTally(args: readonly string[], env?: Record<string, string>): Promise<Ended> {
  return startTally(args, env).ended;
}
