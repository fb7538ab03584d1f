import { setTimeout as delay } from "node:timers/promises";
import type { Logger } from "pino";
import { backoffDelayMs } from "../../backoff.js";
import { type Postmaster, stopPostmaster } from "./postmaster.js";

/** "down": the server died and is being started again; "ready": it accepts connections. */
export type ServerState = "ready" | "down";

/** Options of {@link createSupervisor}. */
export interface SupervisorOptions {
  /** Brings up a server; `previous` is the one whose place it takes. */
  readonly launch: (signal: AbortSignal, previous?: Postmaster) => Promise<Postmaster>;
  readonly stopTimeoutMs: number;
  readonly onStateChange: (state: ServerState) => void;
  readonly logger: Logger;
}

/** Keeps one server running from `start` to `stop`. */
export interface Supervisor {
  start(): Promise<Postmaster>;
  /** Ends whatever runs or is about to; resolves when nothing is left of it. */
  stop(): Promise<void>;
}

const BACKOFF = { baseMs: 100, maxMs: 5_000 };
/** A server that ran this long was healthy; a death after it starts the backoff anew. */
const HEALTHY_MS = 10_000;

/** Makes a supervisor; nothing runs before `start`. */
export function createSupervisor(options: SupervisorOptions): Supervisor {
  const { launch, logger, stopTimeoutMs, onStateChange } = options;
  const stopping = new AbortController();
  let current: Postmaster | undefined;
  let watching: Promise<void> = Promise.resolve();

  async function watch(): Promise<void> {
    let failures = 0;
    while (current !== undefined && !stopping.signal.aborted) {
      const startedMs = performance.now();
      const reason = await current.exited;
      if (stopping.signal.aborted) return;
      if (performance.now() - startedMs > HEALTHY_MS) failures = 0;
      failures += 1;
      logger.error({ serverPid: current.pid, reason }, "database server died; starting it again");
      onStateChange("down");
      current = await relaunch(current, failures);
    }
  }

  /** Tries for ever: without a database there is nothing better to do. */
  async function relaunch(previous: Postmaster, failures: number): Promise<Postmaster | undefined> {
    for (let attempt = failures; !stopping.signal.aborted; attempt += 1) {
      const waitMs = backoffDelayMs(attempt, BACKOFF, Math.random());
      await delay(waitMs, undefined, { signal: stopping.signal }).catch(() => undefined);
      try {
        const next = await launch(stopping.signal, previous);
        logger.info({ serverPid: next.pid }, "database server is back");
        onStateChange("ready");
        return next;
      } catch (error) {
        if (!stopping.signal.aborted) logger.error({ err: error, attempt }, "cannot restart it");
      }
    }
    return undefined;
  }

  async function stopCurrent(): Promise<void> {
    if (current !== undefined) await stopPostmaster(current, { stopTimeoutMs, logger });
  }

  return {
    async start() {
      current = await launch(stopping.signal);
      watching = watch();
      return current;
    },
    async stop() {
      stopping.abort(new Error("the database server is being stopped"));
      await stopCurrent();
      await watching;
      // A launch that was finishing while the signal came.
      await stopCurrent();
    },
  };
}
