import type { MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type {
  PurgeUsageResponseSchema,
  RebuildRollupsResponseSchema,
  RepricedModelSchema,
  RepriceResponseSchema,
} from "../../gen/tally/v1/operations_pb.js";
import type { ModelDifference } from "../usage/reprice/reprice-result.js";
import type { RepriceProgress } from "../usage/reprice/repricer.js";
import type { PurgeProgress } from "../usage/retention/retention.js";
import type { RebuildProgress } from "./rebuild/rebuilder.js";

/** How far a purge has come. */
export function toProtoPurge(
  progress: PurgeProgress,
): MessageInitShape<typeof PurgeUsageResponseSchema> {
  const { isDone, recordsCutoffMs, ...counts } = progress;
  return {
    records: BigInt(counts.records),
    bodies: BigInt(counts.bodies),
    headers: BigInt(counts.headers),
    keys: BigInt(counts.keys),
    partitions: BigInt(counts.partitions),
    done: isDone,
    ...(recordsCutoffMs !== undefined && { cutoffTime: timestampFromMs(recordsCutoffMs) }),
  };
}

/** How far a rebuild has come. */
export function toProtoRebuild({
  days,
  totalDays,
  records,
  corrected,
  isDone,
}: RebuildProgress): MessageInitShape<typeof RebuildRollupsResponseSchema> {
  return {
    days: BigInt(days),
    totalDays: BigInt(totalDays),
    records,
    correctedRollups: corrected,
    done: isDone,
  };
}

/** How far a repricing has come; the differences by model come with its end. */
export function toProtoReprice(
  { records, changedRecords, unpricedRecords, models, isDone }: RepriceProgress,
  dryRun: boolean,
): MessageInitShape<typeof RepriceResponseSchema> {
  return {
    records: BigInt(records),
    changedRecords: BigInt(changedRecords),
    unpricedRecords: BigInt(unpricedRecords),
    models: isDone ? [...models].sort(byDifference).map(toProtoModel) : [],
    done: isDone,
    dryRun,
  };
}

type ModelEntry = readonly [model: string, sums: ModelDifference];

/** The largest change of list cost first, then by name. */
function byDifference([aName, a]: ModelEntry, [bName, b]: ModelEntry): number {
  const difference = size(b.costAfter - b.costBefore) - size(a.costAfter - a.costBefore);
  if (difference !== 0n) return difference > 0n ? 1 : -1;
  return aName < bName ? -1 : 1;
}

function size(amount: bigint): bigint {
  return amount < 0n ? -amount : amount;
}

function toProtoModel([model, sums]: ModelEntry): MessageInitShape<typeof RepricedModelSchema> {
  return {
    model,
    changedRecords: BigInt(sums.changedRecords),
    costBeforeNanoUsd: sums.costBefore.toString(),
    costAfterNanoUsd: sums.costAfter.toString(),
    actualCostBeforeNanoUsd: sums.actualBefore.toString(),
    actualCostAfterNanoUsd: sums.actualAfter.toString(),
  };
}
