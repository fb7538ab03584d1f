import { isMissingPartition } from "../database/errors.js";
import { withRetry } from "../database/retry.js";
import { monthOf } from "./time.js";
import type { UsageStore } from "./usage-store.js";

/** Sees to it that every month that is written to has its partitions. */
export interface PartitionKeeper {
  /** Learns which partitions there are, and makes those of this month and the next. */
  start(nowUs: number): Promise<void>;
  /** Makes what is missing for records with these arrival times. No cost when nothing is. */
  ensure(createTimesUs: readonly number[]): Promise<void>;
  /**
   * Ensures partitions for what `write` writes. If a purge has dropped one of them meanwhile, on
   * whatever replica, it is made again and `write` is run again.
   */
  during<T>(createTimesUs: readonly number[], write: () => Promise<T>): Promise<T>;
}

/** Long enough that the next month's partition is there before it begins. */
const AHEAD_US = 32 * 24 * 3600 * 1_000_000;

/** Makes a keeper; it remembers what is there, and learns of what was dropped when it is missing. */
export function createPartitionKeeper(
  store: Pick<UsageStore, "ensurePartition" | "listPartitions">,
): PartitionKeeper {
  const known = new Set<string>();

  async function ensure(createTimesUs: readonly number[]): Promise<void> {
    const missing = new Set<string>();
    let lastUs = Number.NaN;
    for (const timeUs of createTimesUs) {
      // Records of one batch mostly lie close together: formatting one time serves them all.
      if (Math.floor(timeUs / HOUR_US) === lastUs) continue;
      lastUs = Math.floor(timeUs / HOUR_US);
      const month = monthOf(timeUs);
      if (!known.has(month)) missing.add(month);
    }
    for (const month of [...missing].sort()) {
      await store.ensurePartition(month);
      known.add(month);
    }
  }

  async function during<T>(createTimesUs: readonly number[], write: () => Promise<T>): Promise<T> {
    return withRetry(
      async () => {
        await ensure(createTimesUs);
        return await write();
      },
      {
        retryOn: isMissingPartition,
        onRetry() {
          for (const timeUs of createTimesUs) known.delete(monthOf(timeUs));
        },
      },
    );
  }

  return {
    during,
    async start(nowUs) {
      for (const month of await store.listPartitions()) known.add(month);
      await ensure([nowUs, nowUs + AHEAD_US]);
    },
    ensure,
  };
}

const HOUR_US = 3600 * 1_000_000;
