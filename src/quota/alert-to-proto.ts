import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  BudgetAlertKind,
  BudgetAlertSchema,
  type ListBudgetAlertsResponseSchema,
  type WatchBudgetAlertsResponseSchema,
} from "../../gen/tally/v1/quota_checker_pb.js";
import { BudgetMeasure, BudgetScope } from "../../gen/tally/v1/usage_pb.js";
import type { AlertNews, BudgetAlert } from "./alert.js";

/** A page of alerts. */
export function toProtoAlertPage(
  alerts: readonly BudgetAlert[],
  nextPageToken: string,
): MessageInitShape<typeof ListBudgetAlertsResponseSchema> {
  return { alerts: alerts.map(toProtoAlert), nextPageToken };
}

/** One answer of a watch. */
export function toProtoAlertNews({
  alert,
  lastAlertId,
}: AlertNews): MessageInitShape<typeof WatchBudgetAlertsResponseSchema> {
  return { ...(alert && { alert: toProtoAlert(alert) }), lastAlertId };
}

function toProtoAlert(alert: BudgetAlert) {
  return create(BudgetAlertSchema, {
    alertId: alert.alertId,
    kind: BudgetAlertKind[alert.kind],
    budgetId: alert.budgetId,
    scope: BudgetScope[alert.scope],
    subject: alert.subject,
    measure: BudgetMeasure[alert.measure],
    thresholdPercent: alert.thresholdPercent ?? 0,
    limit: alert.limit ?? 0n,
    spent: alert.spent,
    uncheckedRequests: alert.uncheckedRequests,
    periodStartTime: timestampFromMs(alert.periodStartMs),
    fireTime: timestampFromMs(alert.fireTimeMs),
  });
}
