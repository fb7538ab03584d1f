import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type BatchCheckQuotaResultSchema,
  type CheckQuotaRequest,
  type GetQuotaRequest,
  QuotaChecker,
} from "../../gen/tally/v1/quota_checker_pb.js";
import { DomainError, type FieldViolation, invalidField, invalidFields } from "../errors.js";
import { CostOutOfRangeError } from "../pricing/cost-breakdown.js";
import type { CallContext } from "../server/context.js";
import { implement, type ServiceImplementation } from "../server/handler.js";
import type { AlertFeed } from "./alert-feed.js";
import { fromProtoListAlerts, fromProtoWatchAlerts } from "./alert-from-proto.js";
import { decodeAlertPageToken, encodeAlertPageToken } from "./alert-page-token.js";
import { toProtoAlertNews, toProtoAlertPage } from "./alert-to-proto.js";
import type { Checker, CheckResult } from "./check.js";
import type { Budget, QuotaDirectory } from "./directory.js";
import type { ReservationExtender } from "./extension.js";
import { fromProtoCheckRequest, fromProtoExtendRequest } from "./from-proto.js";
import type { Ledger } from "./ledger.js";
import type { OpenReservation } from "./open-reservations.js";
import type { Reservation } from "./reservation.js";
import { InvalidReservationIdError, type ReservationIdCodec } from "./reservation-id.js";
import {
  toProtoBudgetState,
  toProtoCheckResponse,
  toProtoExtendResponse,
  toProtoOpenReservation,
} from "./to-proto.js";
import { periodAt } from "./window.js";

/** What the service is made of. */
export interface QuotaServiceParts {
  readonly checker: Checker;
  readonly extender: ReservationExtender;
  readonly ledger: Ledger;
  readonly directory: QuotaDirectory;
  readonly codec: ReservationIdCodec;
  /** The contract's rules for one check of a batch, named by where it stands. */
  readonly itemViolations: (request: CheckQuotaRequest, path: string) => FieldViolation[];
  readonly alerts: Pick<AlertFeed, "list" | "watch">;
  /** Told of each answer to a check. */
  readonly onChecked?: (result: CheckResult) => void;
}

/** Open reservations that GetQuota lists for a budget. */
const LISTED_RESERVATIONS = 10;

/** Makes the QuotaChecker service. */
export function createQuotaService(
  parts: QuotaServiceParts,
): ServiceImplementation<typeof QuotaChecker> {
  const { checker, extender, ledger, directory, codec, alerts } = parts;

  function answer(result: CheckResult) {
    parts.onChecked?.(result);
    return toProtoCheckResponse(result, codec.encode);
  }

  function check(request: CheckQuotaRequest, prefix: string) {
    const result = inRange(prefix, request.model, () =>
      checker.check(fromProtoCheckRequest(request)),
    );
    return result instanceof Promise ? result.then(answer) : answer(result);
  }

  async function checkItem(
    request: CheckQuotaRequest,
    index: number,
    context: CallContext,
  ): Promise<MessageInitShape<typeof BatchCheckQuotaResultSchema>> {
    try {
      const path = `requests[${index}]`;
      const violations = parts.itemViolations(request, path);
      if (violations.length > 0) throw invalidFields(violations);
      return { result: { case: "response", value: await check(request, `${path}.`) } };
    } catch (error) {
      return { result: { case: "error", value: context.toStatus(error) } };
    }
  }

  function largestReservations(budget: Budget, periodStartMs: number) {
    const nowMs = ledger.nowMs();
    const heldOn = ({ holds }: OpenReservation) =>
      holds.find(({ budgetId }) => budgetId === budget.budgetId)?.held ?? 0n;
    return ledger
      .openOn({ budgetId: budget.budgetId, periodStartMs })
      .map((reservation) => ({ reservation, held: heldOn(reservation) }))
      .sort((a, b) => (a.held < b.held ? 1 : a.held > b.held ? -1 : 0))
      .slice(0, LISTED_RESERVATIONS)
      .map(({ reservation }) =>
        toProtoOpenReservation(reservation, budget.budgetId, {
          reservationId: codec.encode(reservation),
          nowMs,
        }),
      );
  }

  return implement(QuotaChecker, {
    checkQuota: (request) => check(request, ""),
    async batchCheckQuota({ requests }, context) {
      const results = requests.map((request, index) => checkItem(request, index, context));
      return { results: await Promise.all(results) };
    },
    async extendReservation(request) {
      const reservation = decodeReservation(codec, request.reservationId);
      const extension = await inRange("", request.model, () =>
        extender.extend(fromProtoExtendRequest(request, reservation)),
      );
      const extended = extension.result.reservation;
      return toProtoExtendResponse(extension, {
        reservationId: extended ? codec.encode(extended) : request.reservationId,
        expireTimeMs: (extended ?? reservation).expireTimeMs,
      });
    },
    async releaseReservation({ reservationId }) {
      const reservation = decodeReservation(codec, reservationId);
      const released = await ledger.release(reservation);
      const holds = reservation.holds.map(({ budgetId, held }) => ({ budgetId, amount: held }));
      return { released, holds: released ? holds : [] };
    },
    async getQuota(request) {
      const nowMs = ledger.nowMs();
      const states = budgetsAsked(directory, request).map((budget) => ({
        budget,
        period: periodAt(budget.window, nowMs),
      }));
      const figures = await ledger.figures(
        states.map(({ budget, period }) => ({
          budgetId: budget.budgetId,
          periodStartMs: period.startMs,
        })),
      );
      return {
        budgets: states.map((state, index) =>
          toProtoBudgetState({
            ...state,
            figures: figures[index]!,
            reservations: largestReservations(state.budget, state.period.startMs),
          }),
        ),
      };
    },
    async listBudgetAlerts(request) {
      const { filter, pageSize } = fromProtoListAlerts(request);
      const beforeId = decodeAlertPageToken(filter, request.pageToken);
      const found = await alerts.list(filter, { beforeId, limit: pageSize + 1 });
      const page = found.slice(0, pageSize);
      const last = found.length > pageSize ? page.at(-1) : undefined;
      return toProtoAlertPage(page, last ? encodeAlertPageToken(filter, last.alertId) : "");
    },
    async *watchBudgetAlerts(request, { signal }) {
      const { filter, start } = fromProtoWatchAlerts(request);
      for await (const news of alerts.watch(filter, start, signal)) yield toProtoAlertNews(news);
    },
  });
}

/**
 * @param field - where the id stands in the request, for the error
 * @throws DomainError RESERVATION_INVALID
 */
export function decodeReservation(
  codec: ReservationIdCodec,
  id: string,
  field = "reservation_id",
): Reservation {
  try {
    return codec.decode(id);
  } catch (error) {
    if (!(error instanceof InvalidReservationIdError)) throw error;
    const description = "was not made by this installation, or was altered";
    throw new DomainError("RESERVATION_INVALID", `${field}: ${description}`, {
      violations: [{ field, description }],
    });
  }
}

/**
 * @param prefix - where the request stands in a batch, for the error
 * @throws DomainError INVALID_FIELD for an estimate that costs more than 64 bits hold, or rejects
 */
function inRange<T>(prefix: string, model: string, judge: () => T | Promise<T>): T | Promise<T> {
  const explain = (error: unknown): never => {
    if (!(error instanceof CostOutOfRangeError)) throw error;
    throw invalidField(`${prefix}estimate`, model, error.message);
  };
  try {
    const judgement = judge();
    return judgement instanceof Promise ? judgement.catch(explain) : judgement;
  } catch (error) {
    return explain(error);
  }
}

/** @throws DomainError SUBJECT_NOT_FOUND */
function budgetsAsked(directory: QuotaDirectory, { subject }: GetQuotaRequest): readonly Budget[] {
  switch (subject.case) {
    case "budgetId": {
      const budget = directory.budget(subject.value);
      if (!budget) throw notFound("budget", subject.value);
      return [budget];
    }
    case "apiKeyId": {
      const key = directory.apiKey(subject.value);
      if (!key) throw notFound("api_key", subject.value);
      const own = directory.budgetsOf("API_KEY", subject.value);
      return key.kind === "STANDALONE" ? own : [...own, ...userBudgets(directory, key.userId)];
    }
    case "userId": {
      if (!directory.user(subject.value)) throw notFound("user", subject.value);
      return userBudgets(directory, subject.value);
    }
    default:
      throw invalidField("subject", undefined, "is required");
  }
}

function userBudgets(directory: QuotaDirectory, userId: string): readonly Budget[] {
  return [...directory.budgetsOf("USER", userId), ...directory.budgetsOf("GLOBAL", "")];
}

function notFound(type: string, name: string): DomainError {
  return new DomainError("SUBJECT_NOT_FOUND", `${type}_id: is not known (was "${name}")`, {
    resource: { type, name },
  });
}
