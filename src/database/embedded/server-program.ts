import { type ChildProcess, type StdioOptions, spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { EmbeddedPostgresError } from "./errors.js";
import { findBarrier, type ServerUser } from "./server-user.js";

/** How to start a program of PostgreSQL on a data directory. */
export interface ServerProgram {
  /** Absolute path of `initdb` or `postgres`. */
  readonly file: string;
  /** Passed with `-D`. */
  readonly dataDirectory: string;
  readonly args: readonly string[];
  readonly user: ServerUser | undefined;
  readonly stdout: "pipe" | number;
  /** A session of its own, so that Ctrl-C in the terminal reaches us alone. */
  readonly detached: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * All that the server needs of an environment. Ours stays ours: it holds secrets, and PGDATA
 * or PGPORT in it would change what the programs do. UTC and C also make initdb choose these.
 */
export const SERVER_ENVIRONMENT = { PATH: "/usr/local/bin:/usr/bin:/bin", LC_ALL: "C", TZ: "UTC" };

/** The file descriptor that the data directory has in the child, after stdin, out and err. */
const DIRECTORY_FD = 3;

/**
 * Starts a program of PostgreSQL as the server's user.
 *
 * As root we can make a data directory that this user owns and cannot get to, because a
 * directory above it is closed to others, as /root is. The child then inherits the open
 * directory and knows it as /proc/self/fd/3, which needs no right to pass the parents; the
 * server goes into it at once and uses relative paths from then on.
 *
 * @throws EmbeddedPostgresError DIRECTORY_DENIED where the platform has no such names.
 */
export async function startServerProgram(program: ServerProgram): Promise<ChildProcess> {
  const { dataDirectory, user, stdout, detached, signal } = program;
  const barrier = await findBarrier(dataDirectory, user);
  if (barrier !== undefined) requireDescriptorPaths(barrier, dataDirectory, user);
  const directoryFd = barrier === undefined ? undefined : openSync(dataDirectory, "r");
  const stdio: StdioOptions = ["ignore", stdout, stdout];
  if (directoryFd !== undefined) stdio.push(directoryFd);
  const name = directoryFd === undefined ? dataDirectory : `/proc/self/fd/${DIRECTORY_FD}`;
  try {
    return spawn(program.file, ["-D", name, ...program.args], {
      // Not ours, which the user may not be able to enter.
      cwd: "/",
      env: SERVER_ENVIRONMENT,
      stdio,
      detached,
      ...(user === undefined ? {} : { uid: user.uid, gid: user.gid }),
      ...(signal === undefined ? {} : { signal }),
    });
  } finally {
    if (directoryFd !== undefined) closeSync(directoryFd);
  }
}

function requireDescriptorPaths(
  barrier: string,
  dataDirectory: string,
  user: ServerUser | undefined,
): void {
  if (process.platform === "linux") return;
  throw new EmbeddedPostgresError(
    "DIRECTORY_DENIED",
    `PostgreSQL does not run as root, and user ${user?.uid} cannot reach ${dataDirectory}: ` +
      `${barrier} is closed to others. Run \`chmod o+x ${barrier}\`, set TALLY_DATA_DIR to ` +
      "another place, or do not run Tally as root",
  );
}
