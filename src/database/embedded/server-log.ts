import { type FileHandle, open, rename, stat } from "node:fs/promises";
import { systemCode } from "./errors.js";
import { giveTo, type ServerUser } from "./server-user.js";

/** A log this big is set aside at the next start; one old log is kept. */
const ROTATE_BYTES = 10 * 1024 * 1024;
const TAIL_BYTES = 4 * 1024;

/** The server's log, opened to append. */
export interface ServerLog {
  readonly fd: number;
  /** The last lines, at most 4 KiB, written since it was opened. */
  tail(): Promise<string>;
  close(): Promise<void>;
}

/** Opens the server's log, after moving a big one to `path.1`. */
export async function openServerLog(
  path: string,
  user: ServerUser | undefined,
): Promise<ServerLog> {
  if ((await sizeOf(path)) > ROTATE_BYTES) await rename(path, `${path}.1`);
  const file = await open(path, "a+", 0o600);
  await giveTo(path, user);
  const { size: start } = await file.stat();
  return { fd: file.fd, tail: () => readTail(file, start), close: () => file.close() };
}

async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if (systemCode(error) === "ENOENT") return 0;
    throw error;
  }
}

async function readTail(file: FileHandle, start: number): Promise<string> {
  const { size } = await file.stat();
  const position = Math.max(start, size - TAIL_BYTES);
  const buffer = Buffer.alloc(Math.max(0, size - position));
  const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
  return buffer.toString("utf8", 0, bytesRead).trim();
}
