import { setImmediate as nextTurn } from "node:timers/promises";
import type { PartitionKeeper } from "../partitions.js";
import type { UsagePreparer } from "../prepare.js";
import type { BudgetCharge, UsageRecord, UsageSubmission } from "../usage-record.js";
import { type BulkChunk, type BulkStore, toBulkRows } from "./bulk-store.js";

/** A finished request and when it ended. */
export interface BulkSubmission {
  readonly submission: UsageSubmission;
  /** Microseconds since 1970. */
  readonly finishTimeUs: number;
}

/** What was written. */
export interface BulkTotals {
  readonly records: number;
  /** Cost by the price list, nano-USD. */
  readonly costNanoUsd: bigint;
}

/** What a loader is made of. */
export interface BulkLoaderParts {
  readonly store: Pick<BulkStore, "writeChunk">;
  readonly partitions: Pick<PartitionKeeper, "during">;
  readonly preparer: UsagePreparer;
}

/** Options of one load. */
export interface BulkLoadOptions {
  /** Told after every chunk how much is on disk. */
  readonly onProgress?: (totals: BulkTotals) => void;
  /** Ends the load after the chunks that are under way. */
  readonly signal: AbortSignal;
}

/** Records of one transaction: few enough that they are gone before the garbage collector keeps them. */
const CHUNK_SIZE = 2_500;
/** Records that are made before the sockets have their turn. */
const TURN_SIZE = 250;
/** Chunks that the database writes while the next is made. */
const MAX_UNDER_WAY = 2;

/**
 * Writes finished requests with new ids, priced and charged as recording would, through COPY. Their
 * rollups are left to a rebuild, which adds them up by the day. Every chunk is one transaction, so
 * that a load which is cut off leaves records and budgets that agree.
 *
 * @throws the database's error, for an id that is taken among others; the signal's reason
 */
export async function loadInBulk(
  submissions: Iterable<BulkSubmission>,
  { store, partitions, preparer }: BulkLoaderParts,
  { onProgress, signal }: BulkLoadOptions,
): Promise<BulkTotals> {
  let totals: BulkTotals = { records: 0, costNanoUsd: 0n };
  const underWay: Promise<void>[] = [];
  let chunk = createChunk();

  async function write(full: ChunkBuilder): Promise<void> {
    await partitions.during(full.createTimesUs, () => store.writeChunk(full.finish()));
    const { records, costNanoUsd } = full.totals();
    totals = {
      records: totals.records + records,
      costNanoUsd: totals.costNanoUsd + costNanoUsd,
    };
    onProgress?.(totals);
  }

  async function send(): Promise<void> {
    if (underWay.length >= MAX_UNDER_WAY) await underWay.shift();
    const writing = write(chunk);
    // Heard of when its turn to be awaited comes; until then it must not end the process.
    writing.catch(() => undefined);
    underWay.push(writing);
    chunk = createChunk();
  }

  let made = 0;
  for (const { submission, finishTimeUs } of submissions) {
    const input = { submission, payload: undefined, reservation: undefined };
    chunk.add(preparer.prepare(input, finishTimeUs));
    made += 1;
    if (made % TURN_SIZE === 0) await nextTurn();
    if (made % CHUNK_SIZE !== 0) continue;
    await send();
    if (signal.aborted) break;
  }
  if (!signal.aborted && chunk.createTimesUs.length > 0) await send();
  await Promise.all(underWay);
  signal.throwIfAborted();
  return totals;
}

/** A charge that others are added to. */
type ChargeSum = { -readonly [Name in keyof BudgetCharge]: BudgetCharge[Name] };

type ChunkBuilder = ReturnType<typeof createChunk>;

function createChunk() {
  const createTimesUs: number[] = [];
  const keys: string[] = [];
  const records: string[] = [];
  const charges = new Map<string, ChargeSum>();
  let columns: readonly string[] = [];
  let costNanoUsd = 0n;
  return {
    createTimesUs,
    add(record: UsageRecord): void {
      const rows = toBulkRows(record);
      createTimesUs.push(record.createTimeUs);
      keys.push(rows.key);
      records.push(rows.record);
      columns = rows.columns;
      costNanoUsd += record.cost.totalNanoUsd;
      for (const charge of record.charges) addCharge(charges, charge);
    },
    totals: (): BulkTotals => ({ records: records.length, costNanoUsd }),
    finish: (): BulkChunk => ({
      keys: keys.join(""),
      columns,
      records: records.join(""),
      charges: [...charges.values()],
    }),
  };
}

function addCharge(charges: Map<string, ChargeSum>, charge: BudgetCharge): void {
  const key = `${charge.periodStartMs} ${charge.budgetId}`;
  const sum = charges.get(key);
  if (sum) sum.amount += charge.amount;
  else charges.set(key, { ...charge });
}
