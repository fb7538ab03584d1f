import { mkdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { EmbeddedPostgresError, isPermissionError } from "./errors.js";

/** What lies where in a data directory. Absolute paths. */
export interface DataDirectory {
  readonly root: string;
  /** PostgreSQL's own data directory. It is there as a whole or not at all. */
  readonly cluster: string;
  readonly log: string;
  /** See `lockDirectory`. */
  readonly lock: string;
}

/** Names the parts of a data directory. */
export function layOutDataDirectory(dataDir: string): DataDirectory {
  const root = resolve(dataDir);
  return {
    root,
    cluster: join(root, "postgres"),
    log: join(root, "postgres.log"),
    lock: join(root, "lock"),
  };
}

/**
 * Where copies of the binaries may be kept. A plain user has only the data directory for
 * certain; root has a place for all the data directories of the machine.
 */
export function binaryCacheDirs(directory: DataDirectory): string[] {
  if (process.geteuid?.() !== 0) return [join(directory.root, "binaries")];
  return ["/var/cache/tally", join(tmpdir(), "tally-cache"), join(directory.root, "binaries")];
}

/** Makes the directory, if need be. */
export async function makeDataDirectory(directory: DataDirectory): Promise<void> {
  await mkdir(directory.root, { recursive: true });
}

/** Runs `work` on a data directory; a refused access becomes an error that says what to do. */
export async function explainDenial<T>(
  directory: DataDirectory,
  work: () => Promise<T>,
): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isPermissionError(error)) throw error;
    const { path } = error as NodeJS.ErrnoException;
    throw new EmbeddedPostgresError(
      "DIRECTORY_DENIED",
      `user ${process.geteuid?.()} may not use the data directory ${directory.root}` +
        `${path === undefined ? "" : ` (${path})`}. Run Tally as the user that made it or as ` +
        "root, give the directory to this user (chown -R), or set TALLY_DATA_DIR to another",
      { cause: error },
    );
  }
}
