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
  /** The same as a DATABASE_URL, for a second replica. */
  readonly databaseUrl: string;
  readonly pid: number;
  stop(): Promise<void>;
}

const PROGRAM = fileURLToPath(new URL("../../bin/tally.js", import.meta.url));

/** For profiles: `BENCH_NODE_ARGUMENTS="--cpu-prof --cpu-prof-dir=/tmp/profile"`. */
const NODE_ARGUMENTS = process.env.BENCH_NODE_ARGUMENTS?.split(" ") ?? [];

/** A directory for an embedded database; a server that is given it removes it when it stops. */
export function createDataDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), "tally-bench-"));
}

/** Starts `tally serve` with everything durable, as an operator would. */
export async function startServer(
  settings: Readonly<Record<string, string>> = {},
  givenDataDir?: string,
): Promise<BenchServer> {
  const dataDir = givenDataDir ?? (await createDataDirectory());
  const child = spawn(process.execPath, [...NODE_ARGUMENTS, PROGRAM, "serve"], {
    env: {
      ...process.env,
      TALLY_GRPC_ADDRESS: "127.0.0.1:0",
      TALLY_HTTP_ADDRESS: "off",
      TALLY_DATA_DIR: dataDir,
      TALLY_LOG_LEVEL: "warn",
      ...settings,
    },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const address = await readAddress(child, /^tally ready .*grpc=(\S+)/);
  const host = join(dataDir, "postgres");
  return {
    address,
    connection: { host, port: 5432, user: "tally", database: "tally" },
    databaseUrl: `postgresql://tally@localhost/tally?host=${encodeURIComponent(host)}&port=5432`,
    pid: child.pid!,
    async stop() {
      child.kill("SIGTERM");
      if (child.exitCode === null) await once(child, "exit");
      await rm(dataDir, { recursive: true, force: true });
    },
  };
}

/** Starts a program of Node.js that prints "ready ADDRESS". */
export async function startProgram(
  args: readonly string[],
): Promise<Pick<BenchServer, "address" | "stop">> {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  return {
    address: await readAddress(child, /^ready (\S+)/),
    async stop() {
      child.kill("SIGKILL");
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

async function readAddress(child: ChildProcess, ready: RegExp): Promise<string> {
  for await (const line of createInterface(child.stdout!)) {
    const [, address] = ready.exec(line) ?? [];
    if (address !== undefined) return address;
  }
  throw new Error("the server ended before it was ready");
}
