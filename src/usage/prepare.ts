import type { CatalogDirectory } from "../catalog/directory.js";
import { isFailedRequest } from "../pricing/billing-note.js";
import { computeCost, type PricedCost } from "../pricing/cost.js";
import { ZERO_COST } from "../pricing/cost-breakdown.js";
import type { PricingCatalog } from "../pricing/pricing-terms.js";
import type { Reservation } from "../quota/reservation.js";
import { chargesOf, type PeriodOverrides } from "../quota/spend.js";
import { fingerprint } from "./fingerprint.js";
import {
  isFinished,
  type UnknownSubject,
  type UsageRecord,
  type UsageSubmission,
} from "./usage-record.js";

/** What the gateway told, with what comes with it. */
export interface PrepareInput {
  readonly submission: UsageSubmission;
  readonly reservation: Reservation | undefined;
  /** The record that this one replaces. */
  readonly existing?: UsageRecord;
}

/** Makes records out of submissions: priced, and with what each charges. */
export interface UsagePreparer {
  /** @throws CostOutOfRangeError */
  prepare(input: PrepareInput, nowUs: number): UsageRecord;
}

const UNPRICED: Pick<
  UsageRecord,
  "cost" | "actualCost" | "rateMultiplier" | "priceVersion" | "priceTierIndex" | "billingNote"
> = {
  cost: ZERO_COST,
  actualCost: ZERO_COST,
  rateMultiplier: "1",
  priceVersion: undefined,
  priceTierIndex: undefined,
  billingNote: "NONE",
};

/** Makes a preparer over the catalog in memory. */
export function createUsagePreparer(parts: {
  directory: CatalogDirectory;
  pricing: PricingCatalog;
  /** Told of every finished record that has no price. */
  onUnpriced: (record: UsageRecord) => void;
}): UsagePreparer {
  const { directory, pricing, onUnpriced } = parts;

  function price(submission: UsageSubmission): PricedCost {
    return computeCost({
      terms: pricing.findTerms({
        model: submission.model,
        provider: submission.provider,
        providerKeyId: submission.providerApiKeyId,
        atMs: submission.createTimeUs / 1_000,
      }),
      tokens: submission.tokens,
      failed: isFailedRequest(submission.statusCode, submission.errorMessage),
      apiFormat: submission.apiFormat,
      useTieredPricing: submission.useTieredPricing,
      ...(submission.cacheTtlMinutes !== undefined && {
        cacheTtlMinutes: submission.cacheTtlMinutes,
      }),
    });
  }

  function prepare(input: PrepareInput, nowUs: number): UsageRecord {
    const { existing } = input;
    const merged = merge(input.submission, existing);
    const { isCreateTimeGiven, payload: _payload, ...told } = merged;
    const isFinal = isFinished(told.status);
    const priced = isFinal ? price(merged) : undefined;
    const record: UsageRecord = {
      ...told,
      ...(priced ? fromPricedCost(priced) : UNPRICED),
      unknownSubjects: unknownSubjects(directory, told, priced),
      charges: [],
      reservationId: input.reservation?.uid ?? existing?.reservationId ?? "",
      fingerprint: fingerprint(input.submission),
      version: (existing?.version ?? 0n) + 1n,
      revision: (existing?.revision ?? 0n) + (isFinal ? 1n : 0n),
      updateTimeUs: nowUs,
      finishTimeUs: isFinal ? (existing?.finishTimeUs ?? nowUs) : undefined,
    };
    if (!isFinal) return record;
    if (priced?.billingNote === "NO_PRICE") onUnpriced(record);
    if (record.excludeFromBudgets) return record;
    const periods = periodOverrides(input, isCreateTimeGiven);
    return { ...record, charges: charge(record, periods) };
  }

  function charge(record: UsageRecord, periods: PeriodOverrides): UsageRecord["charges"] {
    return chargesOf(directory, record, {
      amounts: {
        listNanoUsd: record.cost.totalNanoUsd,
        actualNanoUsd: record.actualCost.totalNanoUsd,
        tokens: BigInt(record.tokens.totalTokens),
      },
      createTimeMs: record.createTimeUs / 1_000,
      periods,
    });
  }

  return { prepare };
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
 * period that the record was charged in before, unless it was told to have arrived at another time.
 */
function periodOverrides(
  { reservation, existing }: PrepareInput,
  isCreateTimeGiven: boolean,
): PeriodOverrides {
  if (reservation) return reservation.holds;
  return isCreateTimeGiven ? [] : (existing?.charges ?? []);
}

function fromPricedCost(priced: PricedCost) {
  return {
    cost: priced.list,
    actualCost: priced.actual,
    rateMultiplier: priced.rateMultiplier,
    priceVersion: priced.priceVersion?.version,
    priceTierIndex: priced.tierIndex,
    billingNote: priced.billingNote,
  };
}

/** A provider or model without an entry of its own counts as known when the price list has it. */
function unknownSubjects(
  directory: CatalogDirectory,
  record: Pick<UsageSubmission, "userId" | "apiKeyId" | "provider" | "model">,
  priced: PricedCost | undefined,
): UnknownSubject[] {
  const unknown: UnknownSubject[] = [];
  if (record.userId !== "" && !directory.user(record.userId)) unknown.push("USER");
  if (record.apiKeyId !== "" && !directory.apiKey(record.apiKeyId)) unknown.push("API_KEY");
  const isPricedProvider = priced?.priceVersion?.provider === record.provider;
  const isProviderKnown = isPricedProvider || directory.provider(record.provider) !== undefined;
  if (record.provider !== "" && !isProviderKnown) unknown.push("PROVIDER");
  const isModelKnown = priced?.priceVersion || directory.model(record.model);
  if (!isModelKnown) unknown.push("MODEL");
  return unknown;
}
