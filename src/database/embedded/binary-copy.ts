import { constants } from "node:fs";
import {
  chmod,
  copyFile,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
} from "node:fs/promises";
import { join } from "node:path";
import { EmbeddedPostgresError, isPermissionError, systemCode } from "./errors.js";
import { addLibraryLinks } from "./library-links.js";
import { findBarrier, type ServerUser } from "./server-user.js";

/** The folders whose files are compared to tell a whole copy from a damaged one. */
const PROGRAM_FOLDERS = ["bin", "lib"];
const OTHERS_MAY_WRITE = 0o022;

/**
 * Copies the package to the first of `cacheDirs` that can be used, once for each version, so
 * that the server's user can run it. The copy belongs to us and nobody else can write to it:
 * whoever could would decide what the server runs.
 *
 * @returns the root of the copy.
 * @throws EmbeddedPostgresError BINARIES_UNUSABLE when no place will do.
 */
export async function copyPackage(
  packageRoot: string,
  cacheDirs: readonly string[],
  user: ServerUser | undefined,
): Promise<string> {
  const name = await copyName(packageRoot);
  const refusals: string[] = [];
  for (const dir of cacheDirs) {
    const refusal = await refuseCacheDir(dir, user);
    if (refusal === undefined) return copyInto(dir, name, packageRoot);
    refusals.push(refusal);
  }
  throw new EmbeddedPostgresError(
    "BINARIES_UNUSABLE",
    `user ${user?.uid ?? process.geteuid?.()} cannot run the PostgreSQL in ${packageRoot}, and there is ` +
      `no place for a copy (${refusals.join("; ")}). Move Tally to a directory that everyone ` +
      "may pass, set TALLY_PG_BIN, or do not run Tally as root",
  );
}

async function copyName(packageRoot: string): Promise<string> {
  const manifest = JSON.parse(await readFile(join(packageRoot, "package.json"), "utf8"));
  return `postgres-${manifest.version}-${process.platform}-${process.arch}`;
}

/** Why this directory cannot hold the copy; undefined when it can. */
async function refuseCacheDir(
  dir: string,
  user: ServerUser | undefined,
): Promise<string | undefined> {
  try {
    await mkdir(dir, { recursive: true, mode: 0o755 });
  } catch (error) {
    if (isPermissionError(error)) return `${dir} cannot be made`;
    throw error;
  }
  const { uid, mode } = await lstat(dir);
  if (uid !== process.geteuid?.()) return `${dir} is not ours`;
  if ((mode & OTHERS_MAY_WRITE) !== 0) return `others may write to ${dir}`;
  const barrier = await findBarrier(dir, user);
  return barrier === undefined ? undefined : `${barrier} is closed to user ${user?.uid}`;
}

async function copyInto(cacheDir: string, name: string, packageRoot: string): Promise<string> {
  const copy = join(cacheDir, name);
  const source = join(packageRoot, "native");
  if (await isWhole(source, join(copy, "native"))) return copy;
  const temporary = await mkdtemp(join(cacheDir, `.${name}-`));
  try {
    await chmod(temporary, 0o755);
    await copyTree(source, join(temporary, "native"));
    await addLibraryLinks(temporary);
    await rm(copy, { recursive: true, force: true });
    await rename(temporary, copy);
  } catch (error) {
    await rm(temporary, { recursive: true, force: true });
    // Another process was faster with the same copy.
    const code = systemCode(error);
    if (code !== "ENOTEMPTY" && code !== "EEXIST") throw error;
  }
  return copy;
}

/** Copies for all to read, whatever the modes of the source (npm keeps a private umask). */
async function copyTree(from: string, to: string): Promise<void> {
  await mkdir(to);
  await chmod(to, 0o755);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const source = join(from, entry.name);
    const target = join(to, entry.name);
    if (entry.isDirectory()) {
      await copyTree(source, target);
    } else if (entry.isSymbolicLink()) {
      await symlink(await readlink(source), target);
    } else {
      await copyFile(source, target, constants.COPYFILE_FICLONE);
      const { mode } = await lstat(source);
      await chmod(target, (mode & 0o100) === 0 ? 0o644 : 0o755);
    }
  }
}

/** Whether the copy has every program and library at full size, after a crash of the machine. */
async function isWhole(source: string, copy: string): Promise<boolean> {
  for (const folder of PROGRAM_FOLDERS) {
    for (const entry of await readdir(join(source, folder), { withFileTypes: true })) {
      if (!entry.isFile()) continue;
      const [original, copied] = await Promise.all([
        sizeOf(join(source, folder, entry.name)),
        sizeOf(join(copy, folder, entry.name)),
      ]);
      if (original !== copied) return false;
    }
  }
  return true;
}

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).size;
  } catch {
    return undefined;
  }
}
