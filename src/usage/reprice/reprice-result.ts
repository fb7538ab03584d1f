import type { UsageRecord } from "../usage-record.js";
import type { Repriced } from "./repriced.js";

/** What changes for one model; sums in nano-USD, of the changed records alone. */
export interface ModelDifference {
  readonly changedRecords: number;
  readonly costBefore: bigint;
  readonly costAfter: bigint;
  readonly actualBefore: bigint;
  readonly actualAfter: bigint;
}

/** How far a repricing has come, counted from its beginning. */
export interface RepriceCounts {
  readonly records: number;
  readonly changedRecords: number;
  readonly unpricedRecords: number;
  /** By model. */
  readonly models: ReadonlyMap<string, ModelDifference>;
}

/** Before the first record. */
export const NOTHING_REPRICED: RepriceCounts = {
  records: 0,
  changedRecords: 0,
  unpricedRecords: 0,
  models: new Map(),
};

const NO_DIFFERENCE: ModelDifference = {
  changedRecords: 0,
  costBefore: 0n,
  costAfter: 0n,
  actualBefore: 0n,
  actualAfter: 0n,
};

/** The counts with one page more. */
export function addPage(
  counts: RepriceCounts,
  page: readonly { readonly record: UsageRecord; readonly repriced: Repriced }[],
): RepriceCounts {
  const models = new Map(counts.models);
  let { changedRecords, unpricedRecords } = counts;
  for (const { record, repriced } of page) {
    if (repriced.kind === "UNPRICED") unpricedRecords += 1;
    if (repriced.kind !== "CHANGED") continue;
    changedRecords += 1;
    const sums = models.get(record.model) ?? NO_DIFFERENCE;
    models.set(record.model, addRecord(sums, record, repriced.record));
  }
  return { records: counts.records + page.length, changedRecords, unpricedRecords, models };
}

function addRecord(
  sums: ModelDifference,
  before: UsageRecord,
  after: UsageRecord,
): ModelDifference {
  return {
    changedRecords: sums.changedRecords + 1,
    costBefore: sums.costBefore + before.cost.totalNanoUsd,
    costAfter: sums.costAfter + after.cost.totalNanoUsd,
    actualBefore: sums.actualBefore + before.actualCost.totalNanoUsd,
    actualAfter: sums.actualAfter + after.actualCost.totalNanoUsd,
  };
}
