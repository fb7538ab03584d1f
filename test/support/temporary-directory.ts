import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A directory that goes away, with the PostgreSQL servers in it, however the tests end. */
export interface TemporaryDirectory {
  readonly path: string;
  remove(): Promise<void>;
}

/**
 * Waits until its standard input closes, which the kernel does when we die, even of SIGKILL;
 * then ends the servers whose postmaster.pid lies in the directory, and removes it.
 */
const JANITOR = `
  cat > /dev/null
  find "$0" -name postmaster.pid 2>/dev/null | while read -r file; do
    kill -QUIT "$(head -n 1 "$file")"
  done 2>/dev/null
  for _ in 1 2 3 4 5 6 7 8 9 10; do rm -rf "$0" 2>/dev/null && break; sleep 0.1; done
`;

/** Makes a directory for one test or for all of a process. */
export async function createTemporaryDirectory(): Promise<TemporaryDirectory> {
  const path = await mkdtemp(join(tmpdir(), "tally-test-"));
  const janitor = spawn("/bin/sh", ["-c", JANITOR, path], {
    stdio: ["pipe", "ignore", "ignore"],
    detached: true,
  });
  janitor.unref();
  return { path, remove: () => dismiss(janitor) };
}

async function dismiss(janitor: ChildProcess): Promise<void> {
  if (janitor.exitCode !== null) return;
  const gone = once(janitor, "exit");
  janitor.ref();
  janitor.stdin?.end();
  await gone;
}
