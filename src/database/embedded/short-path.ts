import { mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Longest path of a unix socket that every platform takes, in bytes: sockaddr_un holds 108
 * on Linux and 104 on macOS, the closing NUL included.
 */
export const MAX_SOCKET_PATH_BYTES = 103;

/** A directory under a name short enough for the sockets in it. */
export interface ShortPath {
  readonly path: string;
  /** Removes the short name, not the directory. */
  dispose(): Promise<void>;
}

/** Whether a socket of this name in this directory can be bound and connected to. */
export function fitsSocket(dir: string, socketName: string): boolean {
  return Buffer.byteLength(join(dir, socketName)) <= MAX_SOCKET_PATH_BYTES;
}

/**
 * Gives a directory a second, short name when sockets named like `socketName` would not fit
 * under its own: a symbolic link in a private temporary directory, for as long as one needs
 * it to bind or connect. The sockets themselves lie in `dir`.
 */
export async function shortPathTo(dir: string, socketName: string): Promise<ShortPath> {
  if (fitsSocket(dir, socketName)) return { path: dir, dispose: async () => undefined };
  const holder = await mkdtemp(join(tmpdir(), "tally-path-"));
  const path = join(holder, "d");
  await symlink(dir, path);
  return { path, dispose: () => rm(holder, { recursive: true, force: true }) };
}
