import type { Logger } from "pino";
import type { ActiveStore } from "./active-store.js";
import type { Expirer } from "./expirer.js";
import { DEFAULT_STALE_TIMEOUT_MS } from "./staleness.js";

/** Fails stale requests every minute, in one replica at a time. */
export interface Sweeper {
  start(): void;
  /** Waits for a sweep that is under way. */
  stop(): Promise<void>;
  /** One sweep; nothing when another replica is at it. Never throws. */
  sweep(): Promise<void>;
}

/** What a sweeper is made of. */
export interface SweeperParts {
  readonly store: Pick<ActiveStore, "alone">;
  readonly expirer: Pick<Expirer, "expire">;
  readonly logger: Logger;
  /** Default a minute. */
  readonly intervalMs?: number;
}

/** Makes a sweeper; nothing happens before `start`. */
export function createSweeper(parts: SweeperParts): Sweeper {
  const { store, expirer, logger, intervalMs = 60_000 } = parts;
  let timer: NodeJS.Timeout | undefined;
  let sweeping: Promise<void> = Promise.resolve();

  async function sweep(): Promise<void> {
    try {
      await store.alone(async () => {
        const count = await expirer.expire(DEFAULT_STALE_TIMEOUT_MS);
        if (count > 0) logger.info({ count }, "failed stale requests");
      });
    } catch (error) {
      logger.warn({ err: error }, "cannot look for stale requests; trying again");
    }
  }

  function schedule(): void {
    timer = setTimeout(() => {
      sweeping = sweep().then(() => {
        if (timer !== undefined) schedule();
      });
    }, intervalMs);
  }

  return {
    start: schedule,
    async stop() {
      clearTimeout(timer);
      timer = undefined;
      await sweeping;
    },
    sweep,
  };
}
