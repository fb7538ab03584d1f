import type { BillingNote } from "../pricing/billing-note.js";
import { type CostBreakdown, sumParts } from "../pricing/cost-breakdown.js";
import type { CacheCreation, TokenConvention } from "../pricing/tokens.js";
import { fromReservationRow, type ReservationRow, toReservationRow } from "./reservation-row.js";
import { formatMicroseconds } from "./time.js";
import type {
  BudgetCharge,
  JsonObject,
  UnknownSubject,
  UsageRecord,
  UsageStatus,
} from "./usage-record.js";

/** A charge as the record's row keeps it. */
export interface ChargeRow {
  readonly budget_id: string;
  readonly period_start: string;
  readonly amount: string;
}

/** A row of usage_records as pg returns it; times in microseconds since 1970, as text. */
export interface RecordRow {
  readonly request_id: string;
  readonly created_us: string;
  readonly updated_us: string;
  readonly finished_us: string | null;
  readonly version: bigint;
  readonly revision: bigint;
  readonly fingerprint: string;
  readonly status: UsageStatus;
  readonly user_id: string;
  readonly api_key_id: string;
  readonly provider: string;
  readonly model: string;
  readonly target_model: string;
  readonly request_type: string;
  readonly api_format: string;
  readonly is_stream: boolean;
  readonly status_code: number;
  readonly error_message: string;
  readonly provider_id: string;
  readonly provider_endpoint_id: string;
  readonly provider_api_key_id: string;
  readonly input_tokens: bigint;
  readonly output_tokens: bigint;
  readonly cache_creation_tokens: bigint;
  readonly cache_read_tokens: bigint;
  readonly cache_creations: readonly CacheCreation[] | null;
  readonly token_convention: TokenConvention | "";
  readonly cache_ttl_minutes: number | null;
  readonly use_tiered_pricing: boolean;
  readonly response_time_ms: bigint | null;
  readonly first_byte_time_ms: bigint | null;
  readonly cost_input: bigint;
  readonly cost_output: bigint;
  readonly cost_cache_creation: bigint;
  readonly cost_cache_read: bigint;
  readonly cost_request: bigint;
  readonly actual_input: bigint;
  readonly actual_output: bigint;
  readonly actual_cache_creation: bigint;
  readonly actual_cache_read: bigint;
  readonly actual_request: bigint;
  readonly rate_multiplier: string;
  readonly price_version: bigint | null;
  readonly price_tier_index: number | null;
  readonly billing_note: BillingNote;
  readonly unknown_subjects: UnknownSubject[] | null;
  readonly exclude_from_budgets: boolean;
  readonly operation_id: string;
  readonly attempt_number: number | null;
  readonly is_retried: boolean;
  readonly charges: readonly ChargeRow[] | null;
  readonly reservation_id: string | null;
  readonly open_reservation: ReservationRow | null;
  readonly swept: boolean | null;
  readonly tags: Record<string, string> | null;
  readonly metadata: JsonObject | null;
}

/**
 * What is selected of a table or subquery `r` to make a {@link RecordRow}. Times leave as
 * microseconds: a Date would cut them to milliseconds.
 */
export const RECORD_COLUMNS = `r.*,
    (extract(epoch from r.created_time) * 1000000)::bigint::text as created_us,
    (extract(epoch from r.updated_time) * 1000000)::bigint::text as updated_us,
    (extract(epoch from r.finished_time) * 1000000)::bigint::text as finished_us`;

/** Reads a row. */
export function fromRecordRow(row: RecordRow): UsageRecord {
  return {
    requestId: row.request_id,
    userId: row.user_id,
    apiKeyId: row.api_key_id,
    provider: row.provider,
    model: row.model,
    targetModel: row.target_model,
    requestType: row.request_type,
    apiFormat: row.api_format,
    isStream: row.is_stream,
    status: row.status,
    statusCode: row.status_code,
    errorMessage: row.error_message,
    providerId: row.provider_id,
    providerEndpointId: row.provider_endpoint_id,
    providerApiKeyId: row.provider_api_key_id,
    tokens: tokensOf(row),
    tokenConvention: row.token_convention || undefined,
    cacheTtlMinutes: row.cache_ttl_minutes ?? undefined,
    useTieredPricing: row.use_tiered_pricing,
    responseTimeMs: optionalNumber(row.response_time_ms),
    firstByteTimeMs: optionalNumber(row.first_byte_time_ms),
    createTimeUs: Number(row.created_us),
    updateTimeUs: Number(row.updated_us),
    finishTimeUs: row.finished_us === null ? undefined : Number(row.finished_us),
    excludeFromBudgets: row.exclude_from_budgets,
    operationId: row.operation_id,
    attemptNumber: row.attempt_number ?? undefined,
    isRetried: row.is_retried,
    tags: row.tags ?? {},
    metadata: row.metadata ?? undefined,
    cost: costOf(row, "cost"),
    actualCost: costOf(row, "actual"),
    rateMultiplier: row.rate_multiplier,
    priceVersion: row.price_version ?? undefined,
    priceTierIndex: row.price_tier_index ?? undefined,
    billingNote: row.billing_note,
    unknownSubjects: row.unknown_subjects ?? [],
    charges: (row.charges ?? []).map(fromChargeRow),
    reservationId: row.reservation_id ?? "",
    openReservation: fromReservationRow(row.reservation_id, row.open_reservation),
    isSwept: row.swept ?? false,
    fingerprint: row.fingerprint,
    version: row.version,
    revision: row.revision,
  };
}

/**
 * The row as JSON for `json_populate_recordset`: column names as keys, bigint as decimal text,
 * which PostgreSQL reads exactly where a JSON number would pass 2^53.
 */
export function toRecordJson(record: UsageRecord): Record<string, unknown> {
  const { tokens, cost, actualCost } = record;
  return {
    request_id: record.requestId,
    created_time: formatMicroseconds(record.createTimeUs),
    updated_time: formatMicroseconds(record.updateTimeUs),
    finished_time:
      record.finishTimeUs === undefined ? null : formatMicroseconds(record.finishTimeUs),
    version: record.version.toString(),
    revision: record.revision.toString(),
    fingerprint: record.fingerprint,
    status: record.status,
    user_id: record.userId,
    api_key_id: record.apiKeyId,
    provider: record.provider,
    model: record.model,
    target_model: record.targetModel,
    request_type: record.requestType,
    api_format: record.apiFormat,
    is_stream: record.isStream,
    status_code: record.statusCode,
    error_message: record.errorMessage,
    provider_id: record.providerId,
    provider_endpoint_id: record.providerEndpointId,
    provider_api_key_id: record.providerApiKeyId,
    input_tokens: tokens.inputTokens,
    output_tokens: tokens.outputTokens,
    cache_creation_tokens: tokens.cacheCreationInputTokens,
    cache_read_tokens: tokens.cacheReadInputTokens,
    cache_creations: tokens.cacheCreations.length === 0 ? undefined : tokens.cacheCreations,
    token_convention: record.tokenConvention ?? "",
    cache_ttl_minutes: record.cacheTtlMinutes,
    use_tiered_pricing: record.useTieredPricing,
    response_time_ms: record.responseTimeMs,
    first_byte_time_ms: record.firstByteTimeMs,
    cost_input: cost.inputNanoUsd.toString(),
    cost_output: cost.outputNanoUsd.toString(),
    cost_cache_creation: cost.cacheCreationNanoUsd.toString(),
    cost_cache_read: cost.cacheReadNanoUsd.toString(),
    cost_request: cost.requestNanoUsd.toString(),
    actual_input: actualCost.inputNanoUsd.toString(),
    actual_output: actualCost.outputNanoUsd.toString(),
    actual_cache_creation: actualCost.cacheCreationNanoUsd.toString(),
    actual_cache_read: actualCost.cacheReadNanoUsd.toString(),
    actual_request: actualCost.requestNanoUsd.toString(),
    rate_multiplier: record.rateMultiplier,
    price_version: record.priceVersion?.toString(),
    price_tier_index: record.priceTierIndex,
    billing_note: record.billingNote,
    unknown_subjects: record.unknownSubjects.length === 0 ? undefined : record.unknownSubjects,
    exclude_from_budgets: record.excludeFromBudgets,
    operation_id: record.operationId,
    attempt_number: record.attemptNumber,
    is_retried: record.isRetried,
    charges: record.charges.length === 0 ? undefined : record.charges.map(toChargeRow),
    reservation_id: record.reservationId || undefined,
    open_reservation: record.openReservation && toReservationRow(record.openReservation),
    swept: record.isSwept || undefined,
    tags: isEmpty(record.tags) ? undefined : record.tags,
    metadata: record.metadata,
  };
}

/** A charge as JSON. */
export function toChargeRow(charge: BudgetCharge): ChargeRow {
  return {
    budget_id: charge.budgetId,
    period_start: new Date(charge.periodStartMs).toISOString(),
    amount: charge.amount.toString(),
  };
}

function fromChargeRow(row: ChargeRow): BudgetCharge {
  return {
    budgetId: row.budget_id,
    periodStartMs: Date.parse(row.period_start),
    amount: BigInt(row.amount),
  };
}

function tokensOf(row: RecordRow): UsageRecord["tokens"] {
  const inputTokens = Number(row.input_tokens);
  const outputTokens = Number(row.output_tokens);
  const cacheCreationInputTokens = Number(row.cache_creation_tokens);
  const cacheReadInputTokens = Number(row.cache_read_tokens);
  return {
    inputTokens,
    outputTokens,
    cacheCreationInputTokens,
    cacheReadInputTokens,
    cacheCreations: row.cache_creations ?? [],
    totalTokens: inputTokens + outputTokens + cacheCreationInputTokens + cacheReadInputTokens,
  };
}

function costOf(row: RecordRow, kind: "cost" | "actual"): CostBreakdown {
  return sumParts({
    inputNanoUsd: row[`${kind}_input`],
    outputNanoUsd: row[`${kind}_output`],
    cacheCreationNanoUsd: row[`${kind}_cache_creation`],
    cacheReadNanoUsd: row[`${kind}_cache_read`],
    requestNanoUsd: row[`${kind}_request`],
  });
}

function optionalNumber(value: bigint | null): number | undefined {
  return value === null ? undefined : Number(value);
}

function isEmpty(map: object): boolean {
  for (const _ in map) return false;
  return true;
}
