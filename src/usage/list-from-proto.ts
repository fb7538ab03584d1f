import { durationMs, type Timestamp } from "@bufbuild/protobuf/wkt";
import {
  type GetActiveRequestStatusesRequest,
  type ListUsageRequest,
  UsageOrder as ProtoUsageOrder,
} from "../../gen/tally/v1/usage_recorder_pb.js";
import type { ActiveQuery } from "./active-requests.js";
import { fromProtoStatus } from "./from-proto.js";
import type { ListQuery } from "./list-usage.js";
import { microsecondsOf } from "./time.js";
import type { UsageOrder } from "./usage-filter.js";

const DEFAULT_PAGE_SIZE = 50;
const DEFAULT_OVERDUE_MS = 300_000;

const ORDERS: Readonly<Record<ProtoUsageOrder, UsageOrder>> = {
  [ProtoUsageOrder.UNSPECIFIED]: "CREATE_TIME_DESC",
  [ProtoUsageOrder.CREATE_TIME_DESC]: "CREATE_TIME_DESC",
  [ProtoUsageOrder.CREATE_TIME_ASC]: "CREATE_TIME_ASC",
  [ProtoUsageOrder.COST_DESC]: "COST_DESC",
  [ProtoUsageOrder.COST_ASC]: "COST_ASC",
};

/** Reads a valid request. */
export function fromProtoListRequest(request: ListUsageRequest): ListQuery {
  return {
    filter: {
      userId: request.userId,
      apiKeyId: request.apiKeyId,
      provider: request.provider,
      model: request.model,
      apiFormat: request.apiFormat,
      statuses: request.statuses.flatMap((status) => fromProtoStatus(status) ?? []),
      startTimeUs: optionalTime(request.startTime),
      endTimeUs: optionalTime(request.endTime),
      minCostNanoUsd: request.minCostNanoUsd,
    },
    order: ORDERS[request.orderBy],
    pageSize: pageSizeOf(request),
    pageToken: request.pageToken,
  };
}

/** Reads a valid request. */
export function fromProtoStatusesRequest(request: GetActiveRequestStatusesRequest): ActiveQuery {
  const { requestIds, userId, defaultTimeout } = request;
  return {
    requestIds,
    userId,
    timeoutMs: defaultTimeout ? durationMs(defaultTimeout) : DEFAULT_OVERDUE_MS,
    limit: pageSizeOf(request),
  };
}

/** How many records a page may have. */
export function pageSizeOf({ pageSize }: { readonly pageSize: number }): number {
  return pageSize || DEFAULT_PAGE_SIZE;
}

function optionalTime(time: Timestamp | undefined): number | undefined {
  return time && microsecondsOf(time.seconds, time.nanos);
}
