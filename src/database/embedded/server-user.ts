import { chown, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { systemCode } from "./errors.js";

/** Whom the server runs as. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
}

/** "nobody" wherever it has a number of its own: no login, no files. */
const UNPRIVILEGED_ID = 65_534;

/**
 * PostgreSQL refuses to run as root. When we are root, the server runs as the owner of its
 * data, so that a directory made by a plain user stays that user's; a new directory, or one
 * of root's, gets an unprivileged user.
 *
 * @returns undefined when we are not root: the server then runs as we do.
 */
export async function chooseServerUser(clusterDir: string): Promise<ServerUser | undefined> {
  if (process.geteuid?.() !== 0) return undefined;
  const owner = await ownerOf(clusterDir);
  if (owner !== undefined && owner.uid !== 0) return owner;
  return { uid: UNPRIVILEGED_ID, gid: UNPRIVILEGED_ID };
}

async function ownerOf(path: string): Promise<ServerUser | undefined> {
  try {
    const { uid, gid } = await stat(path);
    return { uid, gid };
  } catch (error) {
    if (systemCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

/** Gives a file of ours to the server's user; nothing to do when the server runs as we do. */
export async function giveTo(path: string, user: ServerUser | undefined): Promise<void> {
  if (user !== undefined) await chown(path, user.uid, user.gid);
}

/**
 * The first directory on the way to `path`, from the root, that `user` may not pass; or
 * `path` itself when `user` may not read and pass it. Reads mode bits only: where an access
 * list grants more than they show, a directory is called closed though it is open, which
 * costs a detour and breaks nothing.
 *
 * @returns undefined when the whole way is open, or when the server runs as we do.
 */
export async function findBarrier(
  path: string,
  user: ServerUser | undefined,
): Promise<string | undefined> {
  if (user === undefined) return undefined;
  const real = await realpath(path);
  if (!(await grants(real, user, 0o5))) return real;
  const closed: string[] = [];
  for (let dir = dirname(real); ; dir = dirname(dir)) {
    if (!(await grants(dir, user, 0o1))) closed.push(dir);
    if (dir === dirname(dir)) return closed.at(-1);
  }
}

/** Whether the mode bits that count for `user` hold all of `wanted` (r=4, w=2, x=1). */
async function grants(path: string, user: ServerUser, wanted: number): Promise<boolean> {
  const { mode, uid, gid } = await stat(path);
  const shift = uid === user.uid ? 6 : gid === user.gid ? 3 : 0;
  return ((mode >> shift) & wanted) === wanted;
}
