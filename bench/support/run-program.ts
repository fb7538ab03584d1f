import { spawn } from "node:child_process";
import { once } from "node:events";

/** What a program printed, and the processor time of it and its children. */
export interface ProgramRun {
  readonly output: string;
  readonly seconds: number;
}

/**
 * Runs a program to its end.
 *
 * @throws when it is not installed (naming its Debian package) or fails
 */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: {
    readonly debianPackage: string;
    readonly input?: string;
    readonly env?: Readonly<Record<string, string>>;
  },
): Promise<ProgramRun> {
  const startedMs = performance.now();
  const child = spawn(command, args, { env: { ...process.env, ...options.env } });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
  child.stdin.end(options.input ?? "");
  const [code] = await once(child, "close").catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "ENOENT") throw error;
    throw new Error(`${command} is not installed; on Debian: apt install ${options.debianPackage}`);
  });
  const text = Buffer.concat(output).toString("utf8");
  if (code !== 0) throw new Error(`${command} failed (${code}):\n${text}`);
  return { output: text, seconds: (performance.now() - startedMs) / 1_000 };
}
