import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EmbeddedPostgresError } from "./errors.js";
import { POSTMASTER_FILE, readPostmasterFile } from "./postmaster-file.js";
import { isRunning, worksIn } from "./process-table.js";
import { SOCKET_NAME } from "./server-settings.js";
import { shortPathTo } from "./short-path.js";
import {
  discardSocketDirectory,
  locateSocketDirectory,
  type SocketDirectory,
} from "./socket-directory.js";
import { probeSocket } from "./socket-probe.js";

/** A postmaster that an earlier Tally started and that still runs. */
export interface LeftPostmaster {
  readonly pid: number;
  readonly socket: SocketDirectory;
}

const PROBE_TIMEOUT_MS = 100;
/** A postmaster listens within milliseconds of writing its file, and until it ends. */
const LISTEN_PATIENCE_MS = 2_000;
const LISTEN_POLL_MS = 50;

/**
 * Finds a running postmaster of this data directory, and clears away what a dead one left.
 * Call it under the lock.
 *
 * @param keep - a socket directory that is still in use.
 * @throws EmbeddedPostgresError DIRECTORY_IN_USE when a server that we cannot see serves it.
 */
export async function findLeftPostmaster(
  clusterDir: string,
  keep?: SocketDirectory,
): Promise<LeftPostmaster | undefined> {
  const file = await readPostmasterFile(clusterDir);
  if (file === undefined) return undefined;
  const { pid } = file;
  const socket = locateSocketDirectory(clusterDir, file.socketDirectory);
  const isOurs = (await isRunning(pid)) ? await worksIn(pid, clusterDir) : false;
  if (isOurs === true) return { pid, socket };
  if (isOurs === undefined && (await listensSoon(socket))) return { pid, socket };
  if (await listens(socket)) throw hiddenServer(clusterDir);
  await removeLockFiles(clusterDir, socket);
  if (socket.setting !== keep?.setting) await discardSocketDirectory(socket);
  return undefined;
}

/**
 * PostgreSQL removes the files of a dead postmaster itself, but believes it alive when its
 * pid is a zombie or went to another process of the same user, as happens in containers,
 * where nobody may reap and few pids are in use. Backends that outlived it are still found:
 * they hold the shared memory segment, whose key is the inode of the data directory.
 */
async function removeLockFiles(clusterDir: string, { host }: SocketDirectory): Promise<void> {
  await rm(join(host, `${SOCKET_NAME}.lock`), { force: true });
  await rm(join(clusterDir, POSTMASTER_FILE), { force: true });
}

async function listensSoon(socket: SocketDirectory): Promise<boolean> {
  const deadlineMs = Date.now() + LISTEN_PATIENCE_MS;
  while (!(await listens(socket))) {
    if (Date.now() > deadlineMs) return false;
    await delay(LISTEN_POLL_MS);
  }
  return true;
}

async function listens({ host }: SocketDirectory): Promise<boolean> {
  const short = await shortPathTo(host, SOCKET_NAME);
  try {
    return (await probeSocket(join(short.path, SOCKET_NAME), PROBE_TIMEOUT_MS)) !== undefined;
  } finally {
    await short.dispose();
  }
}

/**
 * PostgreSQL's own guards, the process id and the shared memory, do not reach into another
 * container, and two servers on one directory destroy it. The socket gives the other away.
 */
function hiddenServer(clusterDir: string): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "DIRECTORY_IN_USE",
    `a PostgreSQL that is not among the processes here serves ${clusterDir}; stop the container ` +
      "that it runs in",
  );
}
