import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { EmbeddedPostgresError } from "./errors.js";
import { sendSignal } from "./process-table.js";
import type { SocketDirectory } from "./socket-directory.js";

/** A PostgreSQL server that accepts connections: our child, or one that we found running. */
export interface Postmaster {
  readonly pid: number;
  readonly adopted: boolean;
  readonly socket: SocketDirectory;
  /** Resolves when the process is gone, with how it ended as far as we know. */
  readonly exited: Promise<string>;
}

const IMMEDIATE_STOP_MS = 10_000;

/**
 * Stops a server: open transactions are rolled back and everything is written to disk
 * ("fast", SIGINT). Past the timeout it is told to quit at once (SIGQUIT), which costs no
 * committed data but a recovery at the next start; at last it is killed.
 *
 * @throws EmbeddedPostgresError STOP_TIMEOUT when even that did not end it.
 */
export async function stopPostmaster(
  postmaster: Postmaster,
  { stopTimeoutMs, logger }: { readonly stopTimeoutMs: number; readonly logger: Logger },
): Promise<void> {
  const steps = [
    { signal: "SIGINT", patienceMs: stopTimeoutMs },
    { signal: "SIGQUIT", patienceMs: IMMEDIATE_STOP_MS },
    { signal: "SIGKILL", patienceMs: IMMEDIATE_STOP_MS },
  ] as const;
  for (const { signal, patienceMs } of steps) {
    if (await exitsWithin(postmaster, 0)) return;
    sendSignal(postmaster.pid, signal);
    if (await exitsWithin(postmaster, patienceMs)) return;
    logger.warn({ serverPid: postmaster.pid, signal, patienceMs }, "database server does not stop");
  }
  throw new EmbeddedPostgresError("STOP_TIMEOUT", `PostgreSQL process ${postmaster.pid} goes on`);
}

async function exitsWithin({ exited }: Postmaster, patienceMs: number): Promise<boolean> {
  const timer = new AbortController();
  const timeout = delay(patienceMs, false, { signal: timer.signal }).catch(() => false);
  const ended = await Promise.race([exited.then(() => true), timeout]);
  timer.abort();
  return ended;
}
