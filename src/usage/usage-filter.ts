import type { UsageStatus } from "./usage-record.js";

/** Which records are listed. "" and undefined: all. */
export interface UsageFilter {
  readonly userId: string;
  readonly apiKeyId: string;
  readonly provider: string;
  readonly model: string;
  readonly apiFormat: string;
  /** Empty: all. */
  readonly statuses: readonly UsageStatus[];
  /** Arrived at this moment or later, microseconds since 1970. */
  readonly startTimeUs: number | undefined;
  /** Arrived before this moment, microseconds since 1970. */
  readonly endTimeUs: number | undefined;
  /** Least list cost, nano-USD. */
  readonly minCostNanoUsd: bigint | undefined;
}

/** In which order records are listed; those that are equal in it by time and id. */
export type UsageOrder = "CREATE_TIME_DESC" | "CREATE_TIME_ASC" | "COST_DESC" | "COST_ASC";

/** Whether an order compares costs, for which there is no index. */
export function isByCost(order: UsageOrder): boolean {
  return order.startsWith("COST");
}
