import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { ConnectionFields } from "../../src/database/connection.js";

/** Tally in a process of its own, on an embedded database of its own. */
export interface BenchServer {
  /** "127.0.0.1:41234". */
  readonly address: string;
  /** The embedded database, for baselines and for counting. */
  readonly connection: ConnectionFields;
  readonly pid: number;
  stop(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL("../../bin/tally.js", import.meta.url));

/** For profiles: `BENCH_NODE_ARGUMENTS="--cpu-prof --cpu-prof-dir=/tmp/profile"`. */
const NODE_ARGUMENTS = process.env.BENCH_NODE_ARGUMENTS?.split(" ") ?? [];

/** Starts `tally serve` with everything durable, as an operator would. */
export async function startServer(
  settings: Readonly<Record<string, string>> = {},
): Promise<BenchServer> {
  const dataDir = await mkdtemp(join(tmpdir(), "tally-bench-"));
  const child = spawn(process.execPath, [...NODE_ARGUMENTS, PROGRAM, "serve"], {
    env: {
      ...process.env,
      TALLY_GRPC_ADDRESS: "127.0.0.1:0",
      TALLY_DATA_DIR: dataDir,
      TALLY_LOG_LEVEL: "warn",
      ...settings,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const address = await readAddress(child);
  return {
    address,
    connection: { host: join(dataDir, "postgres"), port: 5432, user: "tally", database: "tally" },
    pid: child.pid!,
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

async function readAddress(child: ChildProcess): Promise<string> {
  for await (const line of createInterface(child.stdout!)) {
    const [, address] = /^tally ready .*grpc=(\S+)/.exec(line) ?? [];
    if (address !== undefined) return address;
  }
  throw new Error("the server ended before it was ready");
}
