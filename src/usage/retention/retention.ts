import type { Settings } from "../../catalog/settings.js";
import { withRetry } from "../../database/retry.js";
import { DomainError } from "../../errors.js";
import {
  type BatchRange,
  PASS_START,
  type PurgeCounts,
  type PurgedBatch,
  type PurgeSession,
  type PurgeTrigger,
  type RetentionStore,
  type UsagePartition,
} from "./retention-store.js";

/** How long things are kept, in days; 0: for ever. */
export interface RetentionLimits {
  readonly bodyDays: number;
  readonly headerDays: number;
  readonly recordDays: number;
  /** At least 1. */
  readonly keyDays: number;
}

/** The limits that the settings give. */
export function retentionLimitsOf(
  settings: Pick<
    Settings,
    "bodyRetentionDays" | "headerRetentionDays" | "recordRetentionDays" | "keyRetentionDays"
  >,
): RetentionLimits {
  return {
    bodyDays: settings.bodyRetentionDays,
    headerDays: settings.headerRetentionDays,
    recordDays: settings.recordRetentionDays,
    keyDays: settings.keyRetentionDays,
  };
}

/** One purge. */
export interface PurgeOptions {
  readonly trigger: PurgeTrigger;
  readonly limits: RetentionLimits;
  /** Most rows in one transaction. */
  readonly batchSize: number;
  /** Ends the purge after the transaction that is under way. */
  readonly signal?: AbortSignal;
}

/** How far a purge has come. */
export interface PurgeProgress extends Readonly<PurgeCounts> {
  readonly isDone: boolean;
  /** Records that arrived before are removed; undefined: none. Milliseconds since 1970. */
  readonly recordsCutoffMs: number | undefined;
}

/** Removes what is older than it may be kept. */
export interface UsagePurger {
  /**
   * Tells its progress after every step, and at last that it is done. Whoever stops listening ends
   * it; what was done stays done.
   *
   * @throws DomainError TASK_UNDER_WAY while another purge is under way; the signal's reason
   */
  purge(options: PurgeOptions): AsyncGenerator<PurgeProgress>;
  /**
   * The scheduled purge, unless one has begun within the interval and come to its end.
   *
   * @returns its result; undefined when none was due, or when another purge is under way
   */
  purgeIfDue(
    options: Omit<PurgeOptions, "trigger">,
    intervalMs: number,
  ): Promise<PurgeProgress | undefined>;
}

/** Makes a purger. */
export function createUsagePurger(store: RetentionStore): UsagePurger {
  return {
    async *purge(options) {
      const session = await store.open();
      if (!session) {
        throw new DomainError("TASK_UNDER_WAY", "a purge is under way; there is one at a time");
      }
      try {
        yield* run(session, options);
      } finally {
        await session.close();
      }
    },
    async purgeIfDue(options, intervalMs) {
      const session = await store.open();
      if (!session) return undefined;
      try {
        const sinceMs = await session.sinceScheduledMs();
        if (sinceMs !== undefined && sinceMs < intervalMs) return undefined;
        let last: PurgeProgress | undefined;
        for await (last of run(session, { ...options, trigger: "SCHEDULE" }));
        return last;
      } finally {
        await session.close();
      }
    },
  };
}

const DAY_MS = 86_400_000;

/** Moments before which things are removed, milliseconds since 1970; undefined: never. */
interface Cutoffs {
  readonly bodiesMs: number | undefined;
  readonly headersMs: number | undefined;
  readonly recordsMs: number | undefined;
  readonly keysMs: number;
}

function cutoffsAt(nowMs: number, limits: RetentionLimits): Cutoffs {
  const before = (days: number) => (days === 0 ? undefined : nowMs - days * DAY_MS);
  return {
    bodiesMs: before(limits.bodyDays),
    headersMs: before(limits.headerDays),
    recordsMs: before(limits.recordDays),
    keysMs: nowMs - limits.keyDays * DAY_MS,
  };
}

async function* run(session: PurgeSession, options: PurgeOptions): AsyncGenerator<PurgeProgress> {
  const { trigger, limits, signal } = options;
  const { purgeId, nowMs } = await session.begin(trigger);
  const cutoffs = cutoffsAt(nowMs, limits);
  const counts: PurgeCounts = { records: 0, bodies: 0, headers: 0, keys: 0, partitions: 0 };
  const progress = (isDone: boolean): PurgeProgress => ({
    ...counts,
    isDone,
    recordsCutoffMs: cutoffs.recordsMs,
  });
  try {
    for await (const _ of steps(session, { ...options, cutoffs, counts })) {
      signal?.throwIfAborted();
      yield progress(false);
    }
  } finally {
    // Without its end: what was cut off shows as such.
    await session.note(purgeId, counts, false).catch(() => undefined);
  }
  await session.note(purgeId, counts, true);
  yield progress(true);
}

interface Plan extends PurgeOptions {
  readonly cutoffs: Cutoffs;
  readonly counts: PurgeCounts;
}

/** Whole partitions first, since what is in them need not be removed row by row. */
async function* steps(session: PurgeSession, plan: Plan): AsyncGenerator<void> {
  const { cutoffs, counts, batchSize } = plan;
  yield* dropPartitions(session, plan, wholePayloads(cutoffs), false);
  yield* pass(cutoffs.bodiesMs, plan, "bodies", (range) => session.purgeBodies(range));
  yield* pass(cutoffs.headersMs, plan, "headers", (range) => session.purgeHeaders(range));
  yield* pass(cutoffs.recordsMs, plan, "records", (range) =>
    session.purgeRecords({ ...range, keysCutoffMs: cutoffs.keysMs }),
  );
  for (let purged = batchSize; purged >= batchSize; ) {
    purged = await session.purgeKeys(cutoffs.keysMs, batchSize);
    counts.keys += purged;
    yield;
  }
  yield* dropPartitions(session, plan, ({ endMs }) => endMs <= (cutoffs.recordsMs ?? 0), true);
}

/** Payload partitions of which neither headers nor bodies may be kept. */
function wholePayloads({ bodiesMs, headersMs }: Cutoffs): (partition: UsagePartition) => boolean {
  const cutoffMs = Math.min(bodiesMs ?? 0, headersMs ?? 0);
  return ({ parent, endMs }) => parent === "usage_payloads" && endMs <= cutoffMs;
}

/** Batches in the order of arrival, until there is nothing left before the cutoff. */
async function* pass(
  cutoffMs: number | undefined,
  { batchSize, counts }: Plan,
  name: keyof PurgeCounts,
  purgeBatch: (range: BatchRange) => Promise<PurgedBatch>,
): AsyncGenerator<void> {
  if (cutoffMs === undefined) return;
  for (let after = PASS_START; ; ) {
    const { purged, last } = await purgeBatch({ cutoffMs, after, batchSize });
    counts[name] += purged;
    yield;
    if (last === undefined) return;
    after = last;
  }
}

class PartitionInUseError extends Error {}

/** Some ten seconds in all: a query over everything may take that long. */
const DROP_ATTEMPTS = {
  maxAttempts: 12,
  baseMs: 100,
  maxMs: 2_000,
  retryOn: (error: unknown) => error instanceof PartitionInUseError,
};

/** One that stays in use, or is not empty, is left to the next purge. */
async function* dropPartitions(
  session: PurgeSession,
  { counts, signal }: Plan,
  isOver: (partition: UsagePartition) => boolean,
  onlyEmpty: boolean,
): AsyncGenerator<void> {
  for (const partition of (await session.listPartitions()).filter(isOver)) {
    try {
      await withRetry(
        async () => {
          const outcome = await session.dropPartition(partition, onlyEmpty);
          if (outcome === "IN_USE") throw new PartitionInUseError();
          if (outcome === "DROPPED") counts.partitions += 1;
        },
        { ...DROP_ATTEMPTS, signal },
      );
    } catch (error) {
      if (!(error instanceof PartitionInUseError)) throw error;
    }
    yield;
  }
}
