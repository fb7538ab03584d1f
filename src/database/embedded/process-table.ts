import { readFile, stat } from "node:fs/promises";
import { isPermissionError, systemCode } from "./errors.js";

/**
 * True while a process with this id runs. One that has died but was not yet reaped by its
 * parent (a zombie) answers signals like a live one; where /proc tells, it counts as gone.
 */
export async function isRunning(pid: number): Promise<boolean> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return systemCode(error) === "EPERM";
  }
  return !(await isZombie(pid));
}

async function isZombie(pid: number): Promise<boolean> {
  try {
    // "pid (name) state ...": the name may hold spaces and parentheses.
    const text = await readFile(`/proc/${pid}/stat`, "latin1");
    const state = text.charAt(text.lastIndexOf(")") + 2);
    return state === "Z" || state === "X";
  } catch {
    return false;
  }
}

/**
 * Whether a process works in a directory, as a postmaster does in its data directory all its
 * life. This tells it from a stranger that was given the same process id later.
 *
 * @returns undefined where we are not told: not on Linux, or as root of a container, which by
 *   default may not look into processes of others.
 */
export async function worksIn(pid: number, dir: string): Promise<boolean | undefined> {
  if (process.platform !== "linux") return undefined;
  try {
    const [current, expected] = await Promise.all([
      stat(`/proc/${pid}/cwd`, { bigint: true }),
      stat(dir, { bigint: true }),
    ]);
    return current.dev === expected.dev && current.ino === expected.ino;
  } catch (error) {
    return isPermissionError(error) ? undefined : false;
  }
}

/** Sends a signal; a process that is already gone is fine. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (systemCode(error) !== "ESRCH") throw error;
  }
}
