import { spawn } from "node:child_process";
import { once } from "node:events";

const TIMEOUT_MS = 20_000;

/** What is left running when the tests are stopped ends with them. */
const underWay = new Set<() => void>();
process.once("exit", () => {
  for (const end of underWay) end();
});

/** What a command has printed, and how it ended: null if it was killed for taking too long. */
export interface CommandOutcome {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to run a command. */
export interface CommandOptions {
  readonly cwd?: string;
  /** Added to this process's own variables. */
  readonly env?: Record<string, string>;
  /** Default: 20 s. */
  readonly timeoutMs?: number;
  /** For a command that goes on by itself: it is ended, well, once its output is this. */
  readonly until?: (stdout: string) => boolean;
}

/** Runs a program to its end. Rejects with ENOENT if there is none. */
export async function runCommand(
  file: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandOutcome> {
  const { cwd, env, timeoutMs = TIMEOUT_MS, until } = options;
  // A group of its own, since what npm installs is often a program that starts the real one.
  const child = spawn(file, args, {
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  const end = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, "SIGKILL");
    } catch {
      // The group is gone already.
    }
  };
  underWay.add(end);
  const timer = setTimeout(end, timeoutMs);
  let stdout = "";
  let stderr = "";
  let ended = false;
  child.stdout.setEncoding("utf8").on("data", (text) => {
    stdout += text;
    if (ended || !until?.(stdout)) return;
    ended = true;
    end();
  });
  child.stderr.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  try {
    const [exitCode] = await once(child, "close");
    return { exitCode: ended ? 0 : exitCode, stdout, stderr };
  } finally {
    clearTimeout(timer);
    underWay.delete(end);
  }
}
