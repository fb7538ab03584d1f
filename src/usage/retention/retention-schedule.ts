import type { Logger } from "pino";
import type { RetentionLimits, UsagePurger } from "./retention.js";

/** Purges once a day, in one replica of all. */
export interface RetentionSchedule {
  start(): void;
  /** Ends a purge after the transaction that is under way, and waits for it. */
  stop(): Promise<void>;
}

/** What a schedule is made of. */
export interface RetentionScheduleParts {
  readonly purger: UsagePurger;
  /** The limits by the settings of now. */
  readonly limits: () => RetentionLimits;
  readonly logger: Logger;
  /** From the start to the first look whether a purge is due. Default 10 minutes. */
  readonly firstLookMs?: number;
  /** From one look to the next. Default an hour. */
  readonly lookMs?: number;
}

const MINUTE_MS = 60_000;
const DAY_MS = 1_440 * MINUTE_MS;

/** Most rows in one transaction. */
const BATCH_SIZE = 1_000;

/**
 * Makes a schedule. Every replica looks whether the last purge of all is a day ago, so that there
 * is one a day however often replicas start, and another one takes over from a replica that died.
 */
export function createRetentionSchedule({
  purger,
  limits,
  logger,
  firstLookMs = 10 * MINUTE_MS,
  lookMs = 60 * MINUTE_MS,
}: RetentionScheduleParts): RetentionSchedule {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;

  async function look(): Promise<void> {
    const options = { limits: limits(), batchSize: BATCH_SIZE, signal: stopping.signal };
    try {
      const result = await purger.purgeIfDue(options, DAY_MS);
      if (result) logger.info(result, "purged what is older than it may be kept");
    } catch (error) {
      if (stopping.signal.aborted) return;
      logger.warn({ err: error }, "purge failed; trying again later");
    }
    if (!stopping.signal.aborted) schedule(lookMs);
  }

  function schedule(delayMs: number): void {
    timer = setTimeout(() => {
      looking = look();
    }, delayMs);
    timer.unref();
  }

  return {
    start: () => schedule(firstLookMs),
    async stop() {
      clearTimeout(timer);
      stopping.abort();
      await looking;
    },
  };
}
