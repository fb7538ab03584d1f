import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ConnectionFields } from "../../src/database/connection.js";
import { runProgram } from "./run-program.js";

/** Runs a script with pgbench (Debian package postgresql-contrib); transactions per second. */
export async function runPgbench(
  connection: ConnectionFields,
  script: string,
  { clients, seconds }: { readonly clients: number; readonly seconds: number },
): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), "tally-pgbench-"));
  try {
    const file = join(directory, "script.sql");
    await writeFile(file, script);
    const { output } = await runProgram(
      "pgbench",
      [
        ...["-h", connection.host!, "-p", String(connection.port), "-U", connection.user!],
        ...["-n", "-M", "prepared", "-c", String(clients), "-j", "2", "-T", String(seconds)],
        ...["-f", file, connection.database!],
      ],
      { debianPackage: "postgresql-contrib" },
    );
    const [, tps] = /tps = ([\d.]+)/.exec(output) ?? [];
    if (tps === undefined) throw new Error(`pgbench:\n${output}`);
    return Number(tps);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
