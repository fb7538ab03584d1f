import { spawn } from "node:child_process";
import { once } from "node:events";

/** What a program printed, and the processor time that it took. */
export interface ProgramRun {
  readonly output: string;
  readonly processorSeconds: number;
}

/** Runs its arguments, then tells the processor time of its children on the last line. */
const TIMED = '"$@"; code=$?; times >&2; exit $code';
const NOT_FOUND = 127;

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
  const child = spawn("/bin/sh", ["-c", TIMED, "sh", command, ...args], {
    env: { ...process.env, ...options.env },
  });
  const output: Buffer[] = [];
  child.stdout.on("data", (chunk: Buffer) => output.push(chunk));
  child.stderr.on("data", (chunk: Buffer) => output.push(chunk));
  child.stdin.end(options.input ?? "");
  const [code] = await once(child, "close");
  if (code === NOT_FOUND) {
    throw new Error(`${command} is not installed; on Debian: apt install ${options.debianPackage}`);
  }
  const text = Buffer.concat(output).toString("utf8");
  if (code !== 0) throw new Error(`${command} failed (${code}):\n${text}`);
  return { output: text, processorSeconds: readTimes(text) };
}

/** User and system time as `times` writes it: "0m1.250s 0m0.310s". */
function readTimes(text: string): number {
  const line = text.trimEnd().split("\n").at(-1) ?? "";
  const times = [...line.matchAll(/(\d+)m([\d.]+)s/g)];
  return times.reduce(
    (sum, [, minutes, seconds]) => sum + Number(minutes) * 60 + Number(seconds),
    0,
  );
}
