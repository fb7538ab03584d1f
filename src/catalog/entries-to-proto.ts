import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Duration,
  DurationSchema,
  type Timestamp,
  TimestampSchema,
} from "@bufbuild/protobuf/wkt";
import * as proto from "../../gen/tally/v1/catalog_pb.js";
import * as usage from "../../gen/tally/v1/usage_pb.js";
import { toProtoPrice } from "../pricing/price-to-proto.js";
import type { EditedEntry } from "./editor.js";
import type { BudgetWindow } from "./types.js";

/** Shows an entry. */
export function toProtoUser(edited: EditedEntry<"users">): proto.User {
  const { entry } = edited;
  return create(proto.UserSchema, {
    userId: entry.userId,
    email: entry.email,
    username: entry.username,
    role: proto.UserRole[entry.role],
    active: entry.active,
    ...expireTimeOf(entry),
    ...allowedOf(entry),
    ...changesOf(edited),
  });
}

/** Shows an entry. */
export function toProtoApiKey(edited: EditedEntry<"apiKeys">): proto.ApiKey {
  const { entry } = edited;
  return create(proto.ApiKeySchema, {
    apiKeyId: entry.apiKeyId,
    userId: entry.userId,
    kind: proto.ApiKeyKind[entry.kind],
    name: entry.name,
    active: entry.active,
    ...expireTimeOf(entry),
    ...allowedOf(entry),
    ...changesOf(edited),
  });
}

/** Shows an entry. */
export function toProtoProvider(edited: EditedEntry<"providers">): proto.Provider {
  const { entry } = edited;
  return create(proto.ProviderSchema, {
    ...entry,
    billingType: proto.BillingType[entry.billingType],
    failedRequestBilling: proto.FailedRequestBilling[entry.failedRequestBilling],
    ...changesOf(edited),
  });
}

/** Shows an entry. */
export function toProtoProviderEndpoint(
  edited: EditedEntry<"providerEndpoints">,
): proto.ProviderEndpoint {
  const { requestTimeoutMs, ...entry } = edited.entry;
  return create(proto.ProviderEndpointSchema, {
    ...entry,
    ...(requestTimeoutMs !== null && { requestTimeout: toDuration(requestTimeoutMs) }),
    ...changesOf(edited),
  });
}

/** Shows an entry. */
export function toProtoProviderKey(edited: EditedEntry<"providerKeys">): proto.ProviderKey {
  return create(proto.ProviderKeySchema, { ...edited.entry, ...changesOf(edited) });
}

/** Shows an entry. */
export function toProtoModel(edited: EditedEntry<"models">): proto.Model {
  return create(proto.ModelSchema, { ...edited.entry, ...changesOf(edited) });
}

/** Shows an entry. */
export function toProtoModelPrice(edited: EditedEntry<"prices">): proto.ModelPrice {
  const { effectiveTimeMs, price, ...entry } = edited.entry;
  return create(proto.ModelPriceSchema, {
    ...entry,
    price: toProtoPrice(price),
    ...(effectiveTimeMs !== null && { effectiveTime: toTimestamp(effectiveTimeMs) }),
    ...changesOf(edited),
  });
}

/** Shows an entry. */
export function toProtoBudget(edited: EditedEntry<"budgets">): proto.Budget {
  const { entry } = edited;
  return create(proto.BudgetSchema, {
    budgetId: entry.budgetId,
    scope: usage.BudgetScope[entry.scope],
    subject: entry.subject,
    measure: usage.BudgetMeasure[entry.measure],
    ...(entry.limit !== null && { limit: entry.limit }),
    window: toProtoWindow(entry.window),
    enforcement: usage.BudgetEnforcement[entry.enforcement],
    alertPercents: [...entry.alertPercents],
    ...expireTimeOf(entry),
    onUnavailable: proto.OnUnavailable[entry.onUnavailable],
    active: entry.active,
    ...changesOf(edited),
  });
}

/** A window as the contract has it. */
export function toProtoWindow(
  window: BudgetWindow,
): MessageInitShape<typeof usage.BudgetWindowSchema> {
  const { kind, timeZone, days, anchorMs } = window;
  return {
    kind: usage.BudgetWindowKind[kind],
    timeZone,
    ...(days !== undefined && { days }),
    ...(anchorMs !== undefined && { anchorTime: toTimestamp(anchorMs) }),
  };
}

function allowedOf(entry: {
  readonly allowedModels: ReadonlySet<string> | undefined;
  readonly allowedProviders: ReadonlySet<string> | undefined;
}) {
  return {
    allowedModels: [...(entry.allowedModels ?? [])],
    allowedProviders: [...(entry.allowedProviders ?? [])],
  };
}

function expireTimeOf({ expireTimeMs }: { readonly expireTimeMs: number | null }) {
  return expireTimeMs === null ? {} : { expireTime: toTimestamp(expireTimeMs) };
}

function changesOf(edited: {
  readonly createTimeUs: bigint;
  readonly updateTimeUs: bigint;
  readonly etag: string;
}) {
  return {
    createTime: timestampOfUs(edited.createTimeUs),
    updateTime: timestampOfUs(edited.updateTimeUs),
    etag: edited.etag,
  };
}

/** A moment, microseconds since 1970. */
export function timestampOfUs(timeUs: bigint): Timestamp {
  const micros = ((timeUs % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = (timeUs - micros) / 1_000_000n;
  return create(TimestampSchema, { seconds, nanos: Number(micros) * 1_000 });
}

/** A moment, whole milliseconds since 1970. */
export function toTimestamp(timeMs: number): Timestamp {
  return timestampOfUs(BigInt(timeMs) * 1_000n);
}

function toDuration(durationMs: number): Duration {
  const seconds = Math.floor(durationMs / 1_000);
  const nanos = (durationMs - seconds * 1_000) * 1_000_000;
  return create(DurationSchema, { seconds: BigInt(seconds), nanos });
}
