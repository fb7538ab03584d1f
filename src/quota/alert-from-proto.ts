import type { Timestamp } from "@bufbuild/protobuf/wkt";
import type {
  BudgetAlertFilter,
  ListBudgetAlertsRequest,
  WatchBudgetAlertsRequest,
} from "../../gen/tally/v1/quota_checker_pb.js";
import { BudgetScope as ProtoBudgetScope } from "../../gen/tally/v1/usage_pb.js";
import type { AlertFilter, AlertStart } from "./alert.js";
import type { BudgetScope } from "./directory.js";

const DEFAULT_PAGE_SIZE = 100;

/** Reads which alerts are asked for. */
export function fromProtoListAlerts(request: ListBudgetAlertsRequest): {
  readonly filter: AlertFilter;
  readonly pageSize: number;
} {
  const { startTime, endTime } = request;
  return {
    filter: {
      ...fromProtoFilter(request.filter),
      startMs: startTime && toMs(startTime),
      endMs: endTime && toMs(endTime),
    },
    pageSize: request.pageSize || DEFAULT_PAGE_SIZE,
  };
}

/** Reads which alerts to watch, from where on. */
export function fromProtoWatchAlerts({ filter, start }: WatchBudgetAlertsRequest): {
  readonly filter: AlertFilter;
  readonly start: AlertStart;
} {
  const wanted = fromProtoFilter(filter);
  switch (start.case) {
    case "afterAlertId":
      return { filter: wanted, start: { afterId: start.value } };
    case "startTime": {
      const atMs = toMs(start.value);
      return { filter: { ...wanted, startMs: atMs }, start: { atMs } };
    }
    default:
      return { filter: wanted, start: { now: true } };
  }
}

function fromProtoFilter(filter: BudgetAlertFilter | undefined): AlertFilter {
  const { budgetId = "", scope = ProtoBudgetScope.UNSPECIFIED, subject = "" } = filter ?? {};
  const isAnyScope = scope === ProtoBudgetScope.UNSPECIFIED;
  return {
    budgetId: budgetId || undefined,
    scope: isAnyScope ? undefined : (ProtoBudgetScope[scope] as BudgetScope),
    subject: subject || undefined,
    startMs: undefined,
    endMs: undefined,
  };
}

function toMs({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1_000 + Math.floor(nanos / 1_000_000);
}
