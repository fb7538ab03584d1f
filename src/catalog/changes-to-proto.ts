import type { MessageInitShape, JsonObject as ProtobufJsonObject } from "@bufbuild/protobuf";
import {
  AuditAction,
  type AuditEntrySchema,
  CatalogChangeKind,
  type CatalogChangeSchema,
  type ResetBudgetResponseSchema,
  type SkippedPriceSchema,
  type TopUpApiKeyResponseSchema,
} from "../../gen/tally/v1/catalog_pb.js";
import type { SkippedImport } from "../pricing/genai-prices.js";
import type { AuditRow } from "./audit-store.js";
import type { EntryChange } from "./diff.js";
import { timestampOfUs, toTimestamp } from "./entries-to-proto.js";
import type { JsonObject } from "./entry-json.js";
import type { ResetResult } from "./reset.js";
import type { TopUpResult } from "./top-up.js";

/** Shows what a document changes. It deletes nothing. */
export function toProtoChange(change: EntryChange): MessageInitShape<typeof CatalogChangeSchema> {
  const { kind, collection, id, fields } = change;
  const shown = kind === "CREATED" ? CatalogChangeKind.CREATED : CatalogChangeKind.UPDATED;
  return { kind: shown, collection, id, fields: [...fields] };
}

/** Shows a price that was not imported. */
export function toProtoSkipped(
  skipped: SkippedImport,
): MessageInitShape<typeof SkippedPriceSchema> {
  const { providerId, modelId, reason, detail } = skipped;
  return { provider: providerId, model: modelId, reason: `${reason}: ${detail}` };
}

/** Shows a change of the audit log. */
export function toProtoAuditEntry(row: AuditRow): MessageInitShape<typeof AuditEntrySchema> {
  return {
    auditId: row.auditId,
    eventTime: timestampOfUs(row.eventTimeUs),
    actor: row.actor,
    method: row.method,
    requestId: row.requestId,
    action: AuditAction[row.action],
    resourceType: row.resourceType,
    resourceId: row.resourceId,
    ...(row.before !== null && { before: toStruct(row.before) }),
    ...(row.after !== null && { after: toStruct(row.after) }),
  };
}

/** What came from a jsonb column has no undefined fields. */
function toStruct(json: JsonObject): ProtobufJsonObject {
  return json as ProtobufJsonObject;
}

/** Shows where a balance stands. */
export function toProtoTopUp(
  result: TopUpResult,
): MessageInitShape<typeof TopUpApiKeyResponseSchema> {
  const { budgetId, limit, spent, held, isReplay } = result;
  return {
    budgetId,
    limitNanoUsd: limit,
    spentNanoUsd: spent,
    heldNanoUsd: held,
    balanceNanoUsd: limit - spent,
    replayed: isReplay,
  };
}

/** Shows what a reset did. */
export function toProtoReset(
  result: ResetResult,
): MessageInitShape<typeof ResetBudgetResponseSchema> {
  const { periodStartMs, isReplay, ...figures } = result;
  return { ...figures, periodStartTime: toTimestamp(periodStartMs), replayed: isReplay };
}
