import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { systemCode } from "./errors.js";

/** What a postmaster writes into `postmaster.pid` about itself. */
export interface PostmasterFile {
  readonly pid: number;
  /** As it was configured: absolute, or "." for the data directory. */
  readonly socketDirectory: string;
}

/** Its name, in the data directory. */
export const POSTMASTER_FILE = "postmaster.pid";
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
    return parsePostmasterFile(await readFile(join(clusterDir, POSTMASTER_FILE), "utf8"));
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}
