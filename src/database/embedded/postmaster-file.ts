import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "./errors.js";

/** What a postmaster writes into `postmaster.pid` about itself. */
export interface PostmasterFile {
  readonly pid: number;
  /** As it was configured: absolute, or "." for the data directory. */
  readonly socketDirectory: string;
}

const FILE_NAME = "postmaster.pid";
const PID_LINE = 0;
const SOCKET_DIRECTORY_LINE = 4;

/**
 * Reads the text of a `postmaster.pid`.
 * @returns undefined for a file that is not complete.
 */
export function parsePostmasterFile(text: string): PostmasterFile | undefined {
  const lines = text.split("\n");
  const pid = Number(lines[PID_LINE]);
  const socketDirectory = lines[SOCKET_DIRECTORY_LINE]?.trim();
  // A standalone backend (initdb) writes its pid negative.
  if (!Number.isSafeInteger(pid) || pid <= 0 || !socketDirectory) return undefined;
  return { pid, socketDirectory };
}

/** The `postmaster.pid` of a data directory; undefined when there is none, or no whole one. */
export async function readPostmasterFile(clusterDir: string): Promise<PostmasterFile | undefined> {
  try {
    return parsePostmasterFile(await readFile(join(clusterDir, FILE_NAME), "utf8"));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/**
 * Removes the file that a dead postmaster left. PostgreSQL does that itself, but believes the
 * dead one alive when its pid is a zombie or went to another process of the same user, as
 * happens in containers, where few pids are in use. Backends that outlived it are still found:
 * they hold the shared memory segment, whose key is the inode of the data directory.
 */
export async function removePostmasterFile(clusterDir: string): Promise<void> {
  await rm(join(clusterDir, FILE_NAME), { force: true });
}
