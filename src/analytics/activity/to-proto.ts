import type { MessageInitShape } from "@bufbuild/protobuf";
import type { GetDailyActivityResponseSchema } from "../../../gen/tally/v1/analytics_pb.js";
import type { Activity } from "./activity.js";

/** Days as the contract shows them. */
export function toProtoActivity(
  { startDate, endDate, days }: Activity,
  withActualCost: boolean,
): MessageInitShape<typeof GetDailyActivityResponseSchema> {
  let maxRequests = 0n;
  for (const { requests } of days) if (requests > maxRequests) maxRequests = requests;
  return {
    days: days.map(({ date, requests, failures, totalTokens, cost, actualCost }) => ({
      date,
      requests,
      failures,
      totalTokens,
      costNanoUsd: cost,
      ...(withActualCost && { actualCostNanoUsd: actualCost }),
    })),
    startDate,
    endDate,
    totalDays: days.length,
    maxRequests,
  };
}
