import type { CatalogDirectory } from "../catalog/directory.js";
import type { PricedCost } from "../pricing/cost.js";
import { ZERO_COST } from "../pricing/cost-breakdown.js";
import type { PricingCatalog } from "../pricing/pricing-terms.js";
import type { Reservation } from "../quota/reservation.js";
import { chargesOf, type PeriodOverrides } from "../quota/spend.js";
import { fingerprint } from "./fingerprint.js";
import { priceUsage, termsOf } from "./price-usage.js";
import {
  type BudgetCharge,
  isFinished,
  PENDING_PROVIDER,
  type UnknownSubject,
  type UsagePayload,
  type UsageRecord,
  type UsageSubmission,
} from "./usage-record.js";

/** What the gateway told, with what comes with it. */
export interface PrepareInput {
  readonly submission: UsageSubmission;
  readonly payload: UsagePayload | undefined;
  readonly reservation: Reservation | undefined;
  /** The record that this one replaces. */
  readonly existing?: UsageRecord;
  /** Whether it is the record that is there with some of it changed, rather than told anew. */
  readonly isAmendment?: boolean;
  /** Whether the request is failed because nothing was heard of it. */
  readonly isSwept?: boolean;
}

/** Makes records out of submissions: priced, and with what each charges. */
export interface UsagePreparer {
  /** @throws CostOutOfRangeError */
  prepare(input: PrepareInput, nowUs: number): UsageRecord;
}

/** Makes a preparer over the catalog in memory. */
export function createUsagePreparer(parts: {
  directory: CatalogDirectory;
  pricing: PricingCatalog;
  /** Told of every finished record that has no price. */
  onUnpriced: (record: UsageRecord) => void;
}): UsagePreparer {
  const { directory, pricing, onUnpriced } = parts;

  function charge(
    submission: UsageSubmission,
    priced: PricedCost,
    periods: PeriodOverrides,
  ): readonly BudgetCharge[] {
    if (submission.excludeFromBudgets) return NOTHING;
    return chargesOf(directory, submission, {
      amounts: {
        listNanoUsd: priced.list.totalNanoUsd,
        actualNanoUsd: priced.actual.totalNanoUsd,
        tokens: BigInt(submission.tokens.totalTokens),
        requests: submission.isRetried ? 0n : 1n,
      },
      createTimeMs: submission.createTimeUs / 1_000,
      periods,
    });
  }

  return {
    prepare(input, nowUs) {
      const submission = merge(input.submission, input.existing);
      const priced = isFinished(submission.status)
        ? priceUsage(submission, termsOf(pricing, submission))
        : undefined;
      const record = toRecord(input, submission, {
        priced,
        charges: priced ? charge(submission, priced, periodOverrides(input)) : NOTHING,
        unknownSubjects: unknownSubjects(directory, submission, priced),
        nowUs,
      });
      if (record.billingNote === "NO_PRICE") onUnpriced(record);
      return record;
    },
  };
}

const NOTHING: readonly never[] = Object.freeze([]);

/**
 * Field by field: spreading objects of this size took 25 microseconds a record, and as much again
 * in garbage collection, where this takes one.
 */
function toRecord(
  input: PrepareInput,
  submission: UsageSubmission,
  facts: {
    readonly priced: PricedCost | undefined;
    readonly charges: readonly BudgetCharge[];
    readonly unknownSubjects: readonly UnknownSubject[];
    readonly nowUs: number;
  },
): UsageRecord {
  const { priced, nowUs } = facts;
  const { existing } = input;
  const reservation = input.reservation ?? existing?.openReservation;
  const isFinal = priced !== undefined;
  return {
    requestId: submission.requestId,
    userId: submission.userId,
    apiKeyId: submission.apiKeyId,
    provider: submission.provider,
    model: submission.model,
    targetModel: submission.targetModel,
    requestType: submission.requestType,
    apiFormat: submission.apiFormat,
    isStream: submission.isStream,
    status: submission.status,
    statusCode: submission.statusCode,
    errorMessage: submission.errorMessage,
    providerId: submission.providerId,
    providerEndpointId: submission.providerEndpointId,
    providerApiKeyId: submission.providerApiKeyId,
    tokens: submission.tokens,
    tokenConvention: submission.tokenConvention,
    cacheTtlMinutes: submission.cacheTtlMinutes,
    useTieredPricing: submission.useTieredPricing,
    responseTimeMs: submission.responseTimeMs,
    firstByteTimeMs: submission.firstByteTimeMs,
    createTimeUs: submission.createTimeUs,
    excludeFromBudgets: submission.excludeFromBudgets,
    operationId: submission.operationId,
    attemptNumber: submission.attemptNumber,
    isRetried: submission.isRetried,
    tags: submission.tags,
    metadata: submission.metadata,
    cost: priced?.list ?? ZERO_COST,
    actualCost: priced?.actual ?? ZERO_COST,
    rateMultiplier: priced?.rateMultiplier ?? "1",
    priceVersion: priced?.priceVersion?.version,
    priceTierIndex: priced?.tierIndex,
    billingNote: priced?.billingNote ?? "NONE",
    unknownSubjects: facts.unknownSubjects,
    charges: facts.charges,
    reservationId: reservation?.uid ?? existing?.reservationId ?? "",
    openReservation: isFinal ? undefined : reservation,
    isSwept: input.isSwept ?? false,
    // What was told, not what it was merged to: a retry tells the same again.
    fingerprint: fingerprintOf(input),
    version: (existing?.version ?? 0n) + 1n,
    revision: (existing?.revision ?? 0n) + (isFinal ? 1n : 0n),
    updateTimeUs: nowUs,
    finishTimeUs: isFinal ? (finishTimeOf(existing) ?? nowUs) : undefined,
  };
}

function fingerprintOf({ submission, existing, isAmendment }: PrepareInput): string {
  return isAmendment && existing ? existing.fingerprint : fingerprint(submission);
}

/** The sweeper's time was a guess; the one of the completion is better. */
function finishTimeOf(existing: UsageRecord | undefined): number | undefined {
  return existing?.isSwept ? undefined : existing?.finishTimeUs;
}

/** Unset values never erase, and a record keeps its arrival unless another one is told. */
function merge(told: UsageSubmission, existing: UsageRecord | undefined): UsageSubmission {
  if (!existing) return told;
  return {
    ...told,
    targetModel: told.targetModel || existing.targetModel,
    createTimeUs: told.isCreateTimeGiven ? told.createTimeUs : existing.createTimeUs,
  };
}

/**
 * A budget that a reservation holds is charged in the reservation's period, and a revision in the
 * period that the record was charged in before, unless it tells of another time of arrival.
 */
function periodOverrides({ submission, reservation, existing }: PrepareInput): PeriodOverrides {
  const held = reservation ?? existing?.openReservation;
  if (held) return held.holds;
  if (!existing) return NOTHING;
  const isMoved = submission.isCreateTimeGiven && submission.createTimeUs !== existing.createTimeUs;
  return isMoved ? NOTHING : existing.charges;
}

/** A provider or model without an entry of its own counts as known when the price list has it. */
function unknownSubjects(
  directory: CatalogDirectory,
  record: Pick<UsageSubmission, "userId" | "apiKeyId" | "provider" | "model">,
  priced: PricedCost | undefined,
): readonly UnknownSubject[] {
  const unknown: UnknownSubject[] = [];
  if (record.userId !== "" && !directory.user(record.userId)) unknown.push("USER");
  if (record.apiKeyId !== "" && !directory.apiKey(record.apiKeyId)) unknown.push("API_KEY");
  const isPricedProvider = priced?.priceVersion?.provider === record.provider;
  const isProviderKnown = isPricedProvider || directory.provider(record.provider) !== undefined;
  const isProviderNamed = record.provider !== "" && record.provider !== PENDING_PROVIDER;
  if (isProviderNamed && !isProviderKnown) unknown.push("PROVIDER");
  const isModelKnown = priced?.priceVersion || directory.model(record.model);
  if (!isModelKnown) unknown.push("MODEL");
  return unknown;
}
