import type { ChildProcess } from "node:child_process";
import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import type { PostgresBinaries } from "./binaries.js";
import { EmbeddedPostgresError } from "./errors.js";
import { findLeftPostmaster, type LeftPostmaster } from "./left-postmaster.js";
import { type Postmaster, stopPostmaster } from "./postmaster.js";
import { isRunning, worksIn } from "./process-table.js";
import { waitUntilReady } from "./readiness.js";
import { openServerLog, type ServerLog } from "./server-log.js";
import { startServerProgram } from "./server-program.js";
import { serverArguments } from "./server-settings.js";
import type { ServerUser } from "./server-user.js";
import {
  chooseSocketDirectory,
  discardSocketDirectory,
  type SocketDirectory,
} from "./socket-directory.js";

/** What {@link launchPostmaster} works with. */
export interface PostmasterContext {
  readonly clusterDir: string;
  readonly logFile: string;
  readonly binaries: PostgresBinaries;
  readonly user: ServerUser | undefined;
  readonly durable: boolean;
  readonly startTimeoutMs: number;
  readonly stopTimeoutMs: number;
  readonly logger: Logger;
  readonly signal: AbortSignal;
}

const EXIT_POLL_MS = 250;
const RETRY_MS = 100;

/**
 * What PostgreSQL says while something of an earlier server is still there: a dead postmaster
 * that was not reaped, or backends that have not noticed its death. Both pass.
 */
const LEFT_BEHIND = /lock file ".*" already exists|pre-existing shared memory block/;

/**
 * Brings up the server on a data directory and waits until it accepts connections. One that
 * an earlier Tally left running is adopted; one that is shutting down, or has just died, is
 * waited out. Call it under the lock.
 *
 * @param socket - where the socket has to be, when clients know it already.
 * @throws EmbeddedPostgresError START_FAILED or START_TIMEOUT, with the end of the log.
 */
export async function launchPostmaster(
  context: PostmasterContext,
  socket?: SocketDirectory,
): Promise<Postmaster> {
  const deadlineMs = Date.now() + context.startTimeoutMs;
  for (;;) {
    context.signal.throwIfAborted();
    const left = await findLeftPostmaster(context.clusterDir, socket);
    const postmaster =
      left === undefined
        ? await spawnPostmaster(context, deadlineMs, socket)
        : await adoptPostmaster(context, deadlineMs, left);
    if (postmaster !== undefined) return postmaster;
    await delay(RETRY_MS);
  }
}

/** @returns undefined when it went away instead: try again. */
async function adoptPostmaster(
  { clusterDir, signal, ...context }: PostmasterContext,
  deadlineMs: number,
  { pid, socket }: LeftPostmaster,
): Promise<Postmaster | undefined> {
  const exited = pollUntilGone(clusterDir, pid);
  const outcome = await waitUntilReady({ socket, exited }, { deadlineMs, signal });
  if (outcome === "ready") return { pid, adopted: true, socket, exited };
  if (outcome === "exited") return undefined;
  // It is left alone: what has never answered may be no postmaster at all.
  throw startTimeout(context, `process ${pid}, left by an earlier Tally, does not answer`);
}

async function pollUntilGone(clusterDir: string, pid: number): Promise<string> {
  while ((await isRunning(pid)) && (await worksIn(pid, clusterDir)) !== false) {
    await delay(EXIT_POLL_MS);
  }
  return "gone";
}

/** @returns undefined when something of an earlier server was in the way: try again. */
async function spawnPostmaster(
  context: PostmasterContext,
  deadlineMs: number,
  known: SocketDirectory | undefined,
): Promise<Postmaster | undefined> {
  const socket = known ?? (await chooseSocketDirectory(context.clusterDir, context.user));
  const log = await openServerLog(context.logFile, context.user);
  try {
    const postmaster = await spawnWith(context, socket, log);
    const outcome = await waitOrStop(context, postmaster, deadlineMs);
    if (outcome === "ready") return postmaster;
    if (known === undefined) await discardSocketDirectory(socket);
    const tail = await log.tail();
    if (outcome === "timeout") throw startTimeout(context, tail);
    if (LEFT_BEHIND.test(tail) && Date.now() < deadlineMs) return undefined;
    throw new EmbeddedPostgresError(
      "START_FAILED",
      `PostgreSQL does not start (${await postmaster.exited}); the end of ${context.logFile}:\n${tail}`,
    );
  } finally {
    await log.close();
  }
}

async function spawnWith(
  { binaries, clusterDir, user, durable }: PostmasterContext,
  socket: SocketDirectory,
  log: ServerLog,
): Promise<Postmaster> {
  const child = await startServerProgram({
    file: binaries.postgres,
    dataDirectory: clusterDir,
    args: serverArguments({ socketDirectory: socket.setting, durable }),
    user,
    stdout: log.fd,
    detached: true,
  });
  const exited = describeExit(child);
  if (child.pid !== undefined) return { pid: child.pid, adopted: false, socket, exited };
  throw new EmbeddedPostgresError("START_FAILED", `cannot run PostgreSQL: ${await exited}`);
}

function describeExit(child: ChildProcess): Promise<string> {
  return new Promise((resolve) => {
    child.once("error", (error) => resolve(error.message));
    child.once("exit", (code, signal) => resolve(signal ?? `exit code ${code}`));
  });
}

/** Waits for the server; whatever else ends the wait than its own exit also stops it. */
async function waitOrStop(
  { signal, stopTimeoutMs, logger }: PostmasterContext,
  postmaster: Postmaster,
  deadlineMs: number,
): Promise<"ready" | "exited" | "timeout"> {
  try {
    const outcome = await waitUntilReady(postmaster, { deadlineMs, signal });
    if (outcome === "timeout") await stopPostmaster(postmaster, { stopTimeoutMs, logger });
    return outcome;
  } catch (error) {
    await stopPostmaster(postmaster, { stopTimeoutMs, logger });
    throw error;
  }
}

function startTimeout(
  { startTimeoutMs, logFile }: Pick<PostmasterContext, "startTimeoutMs" | "logFile">,
  what: string,
): EmbeddedPostgresError {
  return new EmbeddedPostgresError(
    "START_TIMEOUT",
    `PostgreSQL was not ready within ${startTimeoutMs} ms, see ${logFile}:\n${what}`,
  );
}
