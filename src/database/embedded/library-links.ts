import { readFile, stat, symlink } from "node:fs/promises";
import { dirname, join, relative } from "node:path";
import { isPermissionError, systemCode } from "./errors.js";

/** One line of the package's list: `target` is the link, `source` what it points to. */
interface LibraryLink {
  readonly source: string;
  readonly target: string;
}

/**
 * npm packages hold no symbolic links, so the package makes its library links when it is
 * installed. Where install scripts are switched off, they are missing; this makes them.
 *
 * @returns false when links are missing and the package cannot be written to.
 */
export async function addLibraryLinks(packageRoot: string): Promise<boolean> {
  for (const { source, target } of await readLinks(packageRoot)) {
    const link = join(packageRoot, target);
    if (await exists(link)) continue;
    try {
      await symlink(relative(dirname(target), source), link);
    } catch (error) {
      if (isPermissionError(error)) return false;
      // Another process makes the same links at the same time.
      if (systemCode(error) !== "EEXIST") throw error;
    }
  }
  return true;
}

async function readLinks(packageRoot: string): Promise<LibraryLink[]> {
  try {
    return JSON.parse(await readFile(join(packageRoot, "native", "pg-symlinks.json"), "utf8"));
  } catch (error) {
    // Packages of platforms that need no links have no list.
    if (systemCode(error) === "ENOENT") return [];
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await stat(path);
    return true;
  } catch {
    return false;
  }
}
