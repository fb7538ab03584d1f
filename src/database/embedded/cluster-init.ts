import { once } from "node:events";
import { mkdtemp, open, readdir, readFile, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import type { Logger } from "pino";
import type { PostgresBinaries } from "./binaries.js";
import { EmbeddedPostgresError, systemCode } from "./errors.js";
import { startServerProgram } from "./server-program.js";
import { giveTo, type ServerUser } from "./server-user.js";

/** The superuser of the cluster, as whom Tally connects. */
export const SUPERUSER = "tally";

/** What {@link ensureCluster} works with. */
export interface ClusterContext {
  /** PostgreSQL's data directory. */
  readonly clusterDir: string;
  readonly binaries: PostgresBinaries;
  readonly user: ServerUser | undefined;
  /** False skips every fsync: for data that nobody will miss. */
  readonly durable: boolean;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

/**
 * Makes the database cluster at the first start. initdb works in a directory beside, which
 * gets its name only when it is complete, so that a kill at any moment leaves either no
 * cluster or a whole one; what a killed initdb left is removed. Call it under the lock.
 *
 * @throws EmbeddedPostgresError NOT_A_CLUSTER, VERSION_MISMATCH or INITDB_FAILED.
 */
export async function ensureCluster(context: ClusterContext): Promise<void> {
  await removeLeftovers(context.clusterDir);
  if (await isCluster(context)) return;
  const startedMs = performance.now();
  context.logger.info({ version: context.binaries.version }, "initialising database");
  const temporary = await mkdtemp(`${context.clusterDir}.initdb-`);
  try {
    await giveTo(temporary, context.user);
    await runInitdb(temporary, context);
    await rename(temporary, context.clusterDir);
  } catch (error) {
    await removeLeftovers(context.clusterDir);
    throw error;
  }
  if (context.durable) await syncDirectory(dirname(context.clusterDir));
  const ms = Math.round(performance.now() - startedMs);
  context.logger.info({ ms }, "database initialised");
}

async function removeLeftovers(clusterDir: string): Promise<void> {
  const parent = dirname(clusterDir);
  for (const name of await readdir(parent)) {
    if (!name.startsWith(`${basename(clusterDir)}.initdb-`)) continue;
    // An orphaned initdb may still be writing there; it fails as soon as its files are gone.
    await rm(join(parent, name), { recursive: true, force: true, maxRetries: 10 });
  }
}

async function isCluster({ clusterDir, binaries }: ClusterContext): Promise<boolean> {
  let names: string[];
  try {
    names = await readdir(clusterDir);
  } catch (error) {
    if (systemCode(error) === "ENOENT") return false;
    throw error;
  }
  // rename() replaces an empty directory.
  if (names.length === 0) return false;
  if (!names.includes("PG_VERSION")) {
    throw new EmbeddedPostgresError(
      "NOT_A_CLUSTER",
      `${clusterDir} holds files but no PostgreSQL data; move them away or set TALLY_DATA_DIR`,
    );
  }
  const version = (await readFile(join(clusterDir, "PG_VERSION"), "utf8")).trim();
  if (version === String(binaries.major)) return true;
  throw new EmbeddedPostgresError(
    "VERSION_MISMATCH",
    `${clusterDir} was made by PostgreSQL ${version} and cannot be used by ${binaries.version}. ` +
      `Set TALLY_PG_BIN to the bin directory of a PostgreSQL ${version}, or move the data with ` +
      "pg_dump or pg_upgrade",
  );
}

async function runInitdb(
  dataDirectory: string,
  { binaries, user, durable, signal }: ClusterContext,
): Promise<void> {
  const initdb = await startServerProgram({
    file: binaries.initdb,
    dataDirectory,
    args: initdbArguments(binaries.major, durable),
    user,
    stdout: "pipe",
    detached: false,
    signal,
  });
  const [, output, errors] = await Promise.all([
    once(initdb, "close"),
    initdb.stdout === null ? "" : text(initdb.stdout),
    initdb.stderr === null ? "" : text(initdb.stderr),
  ]);
  if (initdb.exitCode === 0) return;
  const ending = initdb.signalCode ?? `exit code ${initdb.exitCode}`;
  throw new EmbeddedPostgresError(
    "INITDB_FAILED",
    explainInitdbFailure(ending, errors.trim() || output.trim()),
  );
}

/** What an operator is told when initdb ends with `ending` after saying `output`. */
export function explainInitdbFailure(ending: string, output: string): string {
  const nameless = /could not look up effective user ID/.test(output);
  const remedy = nameless
    ? "\nPostgreSQL runs only as a user that has a name: give this id one in /etc/passwd, run " +
      "Tally as another user, or set DATABASE_URL"
    : "";
  return `initdb failed (${ending}):\n${output}${remedy}`;
}

/**
 * Everyone who can open the socket is let in, for the socket lies in a directory that only
 * the server's user and root can enter, and these can read the data files anyway. Text sorts
 * by code point: the same everywhere, the fastest to compare, and it never changes with the
 * system's libraries under an index.
 */
function initdbArguments(major: number, durable: boolean): string[] {
  return [
    `--username=${SUPERUSER}`,
    "--auth=trust",
    "--encoding=UTF8",
    "--locale=C",
    ...(major >= 17 ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"] : []),
    "--data-checksums",
    "--no-instructions",
    ...(durable ? [] : ["--no-sync"]),
  ];
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
