import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type BenchServer, createDataDirectory, startServer } from "./server.js";

/** What of a history decides how it is asked about. */
export interface History {
  readonly records: number;
  readonly users: number;
  /** Retention takes away what is older than 365 days, so that plain SQL would miss it. */
  readonly days: number;
}

const PROGRAM = fileURLToPath(new URL("../../bin/tally.js", import.meta.url));

/** Starts a server on a database of its own that `tally generate` has filled. */
export async function startHistoryServer({ records, users, days }: History): Promise<BenchServer> {
  const dataDir = await createDataDirectory();
  const options = { records, users, days };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const child = spawn(process.execPath, [PROGRAM, "generate", ...args], {
    env: { ...process.env, DATABASE_URL: "", TALLY_DATA_DIR: dataDir, TALLY_LOG_LEVEL: "warn" },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const [exitCode] = await once(child, "exit");
  if (exitCode !== 0) throw new Error(`tally generate ended with ${exitCode}`);
  return startServer({ DATABASE_URL: "" }, dataDir);
}
