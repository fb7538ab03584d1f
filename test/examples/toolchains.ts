import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { Context } from "mocha";
import { type CommandOptions, runCommand } from "../support/run-command.js";

/** Long enough to download and compile what a language needs, on a slow machine. */
const INSTALL_TIMEOUT_MS = 180_000;

/** Why a toolchain cannot be had here: it is not installed, or what it needs not reachable. */
export class MissingToolchain extends Error {
  override readonly name = "MissingToolchain";
}

/** Where tools that tests install are kept from run to run: outside the project, in the user's cache. */
export async function toolsFolder(name: string): Promise<string> {
  const cache = process.env.XDG_CACHE_HOME || join(homedir(), ".cache");
  const folder = join(cache, "tally-tools", name);
  await mkdir(folder, { recursive: true });
  return folder;
}

/**
 * Runs a step that needs a toolchain and perhaps a network, not our own code.
 *
 * @throws MissingToolchain if the program is not there, fails, or takes too long
 */
export async function installStep(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<void> {
  const what = [file, ...args].join(" ");
  const { exitCode, stderr, stdout } = await runCommand(file, args, {
    timeoutMs: INSTALL_TIMEOUT_MS,
    ...options,
  }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new MissingToolchain(`${file} is not installed`);
  });
  if (exitCode === 0) return;
  const reason = (stderr || stdout).trim().split("\n").slice(-3).join("\n");
  throw new MissingToolchain(`${what}: ${reason || "took too long"}`);
}

/** Installs a Go program in the cache unless it is there; answers its path. @throws MissingToolchain */
export async function installGoProgram(module: string, version: string): Promise<string> {
  const folder = await toolsFolder(`go-${version}`);
  const program = join(folder, module.split("/").at(-1) as string);
  if (!existsSync(program)) {
    await installStep("go", ["install", `${module}@${version}`], { env: { GOBIN: folder } });
  }
  return program;
}

/** Prepares a suite, or skips it and prints why if a toolchain is missing. */
export async function prepareOrSkip(context: Context, prepare: () => Promise<void>): Promise<void> {
  try {
    await prepare();
  } catch (error) {
    if (!(error instanceof MissingToolchain)) throw error;
    process.stdout.write(`    skipped: ${error.message}\n`);
    context.skip();
  }
}
