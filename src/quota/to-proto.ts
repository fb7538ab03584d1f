import { create, type MessageInitShape } from "@bufbuild/protobuf";
import {
  type Duration,
  DurationSchema,
  type Timestamp,
  TimestampSchema,
} from "@bufbuild/protobuf/wkt";
import {
  type CheckQuotaResponse,
  CheckQuotaResponseSchema,
  type ExtendReservationResponse,
  ExtendReservationResponseSchema,
  type LimitingBudget,
  LimitingBudgetSchema,
  QuotaReason as ProtoQuotaReason,
  QuotaWarningSchema,
} from "../../gen/tally/v1/quota_checker_pb.js";
import {
  BudgetEnforcement,
  BudgetMeasure,
  BudgetScope,
  type BudgetState,
  BudgetStateSchema,
  BudgetWindowKind,
  type OpenReservationSchema,
} from "../../gen/tally/v1/usage_pb.js";
import { compileEmpty } from "../wire-empty.js";
import type { CheckResult } from "./check.js";
import type { Budget } from "./directory.js";
import type { Extension } from "./extension.js";
import type { BudgetFigures } from "./figures.js";
import type { OpenReservation } from "./open-reservations.js";
import type { Reservation } from "./reservation.js";
import { type Standing, warningMessage } from "./verdict.js";
import type { BudgetPeriod } from "./window.js";

const emptyCheckResponse = compileEmpty(CheckQuotaResponseSchema);
const emptyLimiting = compileEmpty(LimitingBudgetSchema);
const emptyTimestamp = compileEmpty(TimestampSchema);

/** The answer to a check. */
export function toProtoCheckResponse(
  result: CheckResult,
  encode: (reservation: Reservation) => string,
): CheckQuotaResponse {
  const { reservation, limiting, remainingNanoUsd } = result;
  const message = emptyCheckResponse();
  message.allowed = result.allowed;
  message.reason = ProtoQuotaReason[result.reason];
  message.message = result.message;
  message.estimatedCostNanoUsd = result.estimatedCostNanoUsd;
  message.warnings = result.warnings.map((warning) =>
    create(QuotaWarningSchema, toProtoWarning(warning)),
  );
  if (remainingNanoUsd !== undefined) message.remainingNanoUsd = remainingNanoUsd;
  if (limiting) message.limitingBudget = toProtoLimiting(limiting);
  if (result.retryAfterMs !== undefined) message.retryAfter = toDuration(result.retryAfterMs);
  if (reservation) {
    message.reservationId = encode(reservation);
    message.expireTime = toTimestamp(reservation.expireTimeMs);
  }
  return message;
}

/** The answer to an extension. */
export function toProtoExtendResponse(
  { result, estimatedCostNanoUsd }: Extension,
  current: { readonly reservationId: string; readonly expireTimeMs: number },
): ExtendReservationResponse {
  return create(ExtendReservationResponseSchema, {
    allowed: result.allowed,
    reason: ProtoQuotaReason[result.reason],
    message: result.message,
    reservationId: current.reservationId,
    expireTime: toTimestamp(current.expireTimeMs),
    estimatedCostNanoUsd,
    ...(result.limiting && { limitingBudget: toProtoLimiting(result.limiting) }),
    ...(result.retryAfterMs !== undefined && { retryAfter: toDuration(result.retryAfterMs) }),
  });
}

function toProtoLimiting(standing: Standing): LimitingBudget {
  const { budget, period } = standing;
  const message = emptyLimiting();
  message.budgetId = budget.budgetId;
  message.scope = BudgetScope[budget.scope];
  message.subject = budget.subject;
  message.measure = BudgetMeasure[budget.measure];
  message.limit = standing.limit;
  message.spent = standing.spent;
  message.held = standing.held;
  message.remaining = standing.remaining;
  if (period.endMs !== null) message.resetTime = toTimestamp(period.endMs);
  return message;
}

function toProtoWarning(standing: Standing): MessageInitShape<typeof QuotaWarningSchema> {
  const { budget, limit, spent, held, amount } = standing;
  const projected = spent + held + amount;
  return {
    budgetId: budget.budgetId,
    scope: BudgetScope[budget.scope],
    message: warningMessage(standing, projected),
    limit,
    projected,
  };
}

/** A budget and where it stands. */
export function toProtoBudgetState(state: {
  readonly budget: Budget;
  readonly period: BudgetPeriod;
  readonly figures: BudgetFigures;
  readonly reservations: readonly MessageInitShape<typeof OpenReservationSchema>[];
}): BudgetState {
  const { budget, period, figures } = state;
  const { limit, spent, held } = figures;
  const { window } = budget;
  return create(BudgetStateSchema, {
    budgetId: budget.budgetId,
    scope: BudgetScope[budget.scope],
    subject: budget.subject,
    measure: BudgetMeasure[budget.measure],
    enforcement: BudgetEnforcement[budget.enforcement],
    window: {
      kind: BudgetWindowKind[window.kind],
      timeZone: window.timeZone,
      ...(window.days !== undefined && { days: window.days }),
      ...(window.anchorMs !== undefined && { anchorTime: toTimestamp(window.anchorMs) }),
    },
    spent,
    held,
    ...(limit !== undefined && { limit, remaining: limit - spent - held }),
    periodStartTime: toTimestamp(period.startMs),
    ...(period.endMs !== null && { resetTime: toTimestamp(period.endMs) }),
    reservations: [...state.reservations],
  });
}

/** An open reservation, as one budget sees it. */
export function toProtoOpenReservation(
  reservation: OpenReservation,
  budgetId: string,
  facts: { readonly reservationId: string; readonly nowMs: number },
): MessageInitShape<typeof OpenReservationSchema> {
  return {
    reservationId: facts.reservationId,
    requestId: reservation.requestId,
    held: reservation.holds.find((hold) => hold.budgetId === budgetId)?.held ?? 0n,
    age: toDuration(Math.max(facts.nowMs - reservation.createTimeMs, 0)),
    expireTime: toTimestamp(reservation.expireTimeMs),
  };
}

function toTimestamp(timeMs: number): Timestamp {
  const seconds = Math.floor(timeMs / 1_000);
  const nanos = Math.round((timeMs - seconds * 1_000) * 1_000_000);
  const message = emptyTimestamp();
  message.seconds = BigInt(seconds);
  message.nanos = nanos;
  return message;
}

function toDuration(durationMs: number): Duration {
  const seconds = Math.floor(durationMs / 1_000);
  const nanos = Math.round((durationMs - seconds * 1_000) * 1_000_000);
  return create(DurationSchema, { seconds: BigInt(seconds), nanos });
}
