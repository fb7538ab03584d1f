import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** Another process with an embedded PostgreSQL of its own: see `embedded-server.ts`. */
export interface TallyProcess {
  readonly pid: number;
  /** The first line that it prints: how its start ended. */
  readonly outcome: Promise<StartOutcome>;
  /** Kills it and everything in its process group, as a lost terminal would. */
  killGroup(): Promise<void>;
  /** Lets it stop its server and end. */
  stop(): Promise<void>;
}

/** How the start of an embedded PostgreSQL ended. */
export type StartOutcome =
  | { readonly ready: true }
  | { readonly ready: false; readonly code: string; readonly message: string };

const PROGRAM = fileURLToPath(new URL("./embedded-server.ts", import.meta.url));

/** Starts the program on a data directory, as another user if `uid` is given. */
export function startTallyProcess(dataDir: string, uid?: number): TallyProcess {
  const child = spawn(process.execPath, ["--import", "tsx", PROGRAM, dataDir], {
    stdio: ["pipe", "pipe", "inherit"],
    detached: true,
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  const exited = once(child, "exit");
  const pid = child.pid as number;
  return {
    pid,
    outcome: readOutcome(child),
    async killGroup() {
      process.kill(-pid, "SIGKILL");
      await exited;
    },
    async stop() {
      child.stdin?.end();
      await exited;
    },
  };
}

async function readOutcome(child: ChildProcess): Promise<StartOutcome> {
  if (child.stdout === null) throw new Error("no standard output");
  for await (const line of createInterface(child.stdout)) return JSON.parse(line);
  throw new Error("the process ended without a word");
}
