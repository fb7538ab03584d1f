import { chmod, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { EmbeddedPostgresError } from "./errors.js";
import { SOCKET_NAME } from "./server-settings.js";
import { findBarrier, giveTo, type ServerUser } from "./server-user.js";
import { fitsSocket } from "./short-path.js";

/** Where the server's socket lies. */
export interface SocketDirectory {
  /** As the server is told: "." (its data directory), or an absolute path. */
  readonly setting: string;
  /** As clients are told: an absolute path. */
  readonly host: string;
}

const TEMPORARY_PREFIX = "tally-socket-";

/**
 * The socket lies in the data directory, which nobody else can enter, unless its path would
 * be too long for a socket: then in a private temporary directory. The server notes its place
 * in `postmaster.pid`, where a later process finds it, and touches it every hour, so that
 * cleaners of temporary files leave it alone.
 */
export async function chooseSocketDirectory(
  clusterDir: string,
  user: ServerUser | undefined,
): Promise<SocketDirectory> {
  if (fitsSocket(clusterDir, SOCKET_NAME)) return { setting: ".", host: clusterDir };
  for (const parent of [tmpdir(), "/tmp"]) {
    const name = join(parent, `${TEMPORARY_PREFIX}XXXXXX`);
    if (!fitsSocket(name, SOCKET_NAME) || (await findBarrier(parent, user)) !== undefined) continue;
    const host = await mkdtemp(join(parent, TEMPORARY_PREFIX));
    await chmod(host, 0o700);
    await giveTo(host, user);
    return { setting: host, host };
  }
  throw new EmbeddedPostgresError(
    "START_FAILED",
    `the path ${clusterDir} is too long for a unix socket, and so is that of the temporary ` +
      "directory; set TALLY_DATA_DIR to a shorter one",
  );
}

/** Where the socket of a running server lies, by its `postmaster.pid`. */
export function locateSocketDirectory(clusterDir: string, setting: string): SocketDirectory {
  return { setting, host: setting === "." ? clusterDir : setting };
}

/** Removes a temporary socket directory once its server is gone; leaves any other alone. */
export async function discardSocketDirectory({ setting }: SocketDirectory): Promise<void> {
  if (!basename(setting).startsWith(TEMPORARY_PREFIX)) return;
  await rm(setting, { recursive: true, force: true });
}
