import type { UnpricedModelPolicy } from "../catalog/settings.js";
import { isDatabaseUnavailable } from "../errors.js";
import type { PricingCatalog } from "../pricing/pricing-terms.js";
import { admit, isDenial, type QuotaReason } from "./admission.js";
import { budgetsChecked } from "./applicable-budgets.js";
import type { Judgement } from "./comparison.js";
import {
  type Comparison,
  compareHeld,
  compareStandings,
  judge,
  standingsOf,
} from "./comparison.js";
import type { Budget, QuotaDirectory, SpendSubject } from "./directory.js";
import { type Expectation, type ExpectedSpend, expectedSpend } from "./expectation.js";
import type { PeriodKey } from "./lease.js";
import type { Ledger } from "./ledger.js";
import type { ReserveRequest } from "./ledger-requests.js";
import { amountFor } from "./spend.js";
import type { MetBudget, Standing } from "./verdict.js";
import { periodAt } from "./window.js";

/** A check, as the caller told it. */
export interface CheckRequest extends Expectation {
  readonly userId: string;
  readonly apiKeyId: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly reserve: boolean;
  readonly reservationTtlMs: number;
  /** "" for none. */
  readonly requestId: string;
}

/** How a check was answered. */
export interface CheckResult extends Judgement {
  readonly estimatedCostNanoUsd: bigint;
  /** SOFT budgets that would be passed. */
  readonly warnings: readonly Standing[];
}

/** Says whether a caller may spend. */
export interface Checker {
  /**
   * At once when memory has the answer: a promise would cost as much as the check.
   *
   * @throws DomainError DATABASE_UNAVAILABLE when the database is needed and away, or rejects with it
   */
  check(request: CheckRequest): CheckResult | Promise<CheckResult>;
}

/** What a checker is made of. */
export interface CheckerParts {
  readonly directory: QuotaDirectory;
  readonly pricing: PricingCatalog;
  readonly ledger: Pick<
    Ledger,
    "reserve" | "reserveFromMemory" | "roomInMemory" | "figures" | "recentFigures" | "nowMs"
  >;
  readonly unpricedModelPolicy: () => UnpricedModelPolicy;
  /** Told of each budget that let a request pass unseen, since the database was away. */
  readonly onUnchecked: (budget: PeriodKey) => void;
}

/** Makes a checker. */
export function createChecker(parts: CheckerParts): Checker {
  const { directory, pricing, ledger } = parts;

  function check(request: CheckRequest): CheckResult | Promise<CheckResult> {
    const nowMs = ledger.nowMs();
    const admission = admit(directory, request, nowMs);
    if (isDenial(admission)) return answer({ ...admission, allowed: false });
    const expected = expectedSpend(pricing, request, nowMs);
    const estimatedCostNanoUsd = expected.listNanoUsd;
    if (!admission.isStandalone && admission.user?.role === "ADMIN") {
      return answer({ allowed: true, reason: "ADMIN_EXEMPT", estimatedCostNanoUsd });
    }
    const { hard, soft } = meetAll(subjectOf(request, admission.userId), expected, nowMs);
    if (isUnpricedDenied(expected, hard)) return unpriced(request);
    const denial = admission.isStandalone ? "BALANCE_INSUFFICIENT" : "QUOTA_EXCEEDED";
    const facts = { nowMs, denial, estimatedCostNanoUsd } as const;
    const compared = hard.length === 0 ? undefined : compare(request, hard);
    if (soft.length === 0 && !(compared instanceof Promise)) return conclude(compared, [], facts);
    return Promise.all([compared, warningsOf(soft)]).then(([comparison, warnings]) =>
      conclude(comparison, warnings, facts),
    );
  }

  function meetAll(subject: SpendSubject, expected: ExpectedSpend, nowMs: number) {
    const hard: MetBudget[] = [];
    const soft: MetBudget[] = [];
    for (const budget of budgetsChecked(directory, subject)) {
      if (budget.limit === null) continue;
      (budget.enforcement === "HARD" ? hard : soft).push(meet(budget, expected, nowMs));
    }
    return { hard, soft };
  }

  /** A token estimate that nobody can price must not pass a limit in money as if it were free. */
  function isUnpricedDenied(expected: ExpectedSpend, hard: readonly MetBudget[]): boolean {
    if (!expected.isUnpriced || parts.unpricedModelPolicy() === "ALLOW") return false;
    return hard.some(({ budget }) => budget.measure === "COST");
  }

  function compare(
    request: CheckRequest,
    hard: readonly MetBudget[],
  ): UncheckedComparison | Promise<UncheckedComparison> {
    const wanted = toReserveRequest(request, hard);
    if (!request.reserve) {
      const room = ledger.roomInMemory(wanted);
      return room ? compareStandings(hard, room) : compareWithDatabase(request, hard);
    }
    const reserved = ledger.reserve(wanted);
    if (!(reserved instanceof Promise)) {
      return compareHeld(hard, reserved.figures, reserved.reservation);
    }
    return reserved.then(
      ({ reservation, figures }) => compareHeld(hard, figures, reservation),
      (error: unknown) => orWithoutDatabase(request, hard, error),
    );
  }

  async function compareWithDatabase(
    request: CheckRequest,
    hard: readonly MetBudget[],
  ): Promise<UncheckedComparison> {
    try {
      return compareStandings(hard, await ledger.figures(hard.map(toKey)));
    } catch (error) {
      return orWithoutDatabase(request, hard, error);
    }
  }

  function orWithoutDatabase(
    request: CheckRequest,
    hard: readonly MetBudget[],
    error: unknown,
  ): UncheckedComparison {
    if (!isDatabaseUnavailable(error)) throw error;
    return compareWithoutDatabase(request, hard, error);
  }

  /**
   * Budgets that say so let the request pass unseen; the others must have room in leases that are
   * here.
   */
  function compareWithoutDatabase(
    request: CheckRequest,
    hard: readonly MetBudget[],
    error: unknown,
  ): UncheckedComparison {
    const strict = hard.filter(({ budget }) => budget.onUnavailable === "DENY");
    const unchecked = hard.filter(({ budget }) => budget.onUnavailable === "ALLOW");
    if (unchecked.length === 0) throw error;
    const comparison = strict.length === 0 ? NOTHING_TO_COMPARE : fromMemory(request, strict);
    if (!comparison) throw error;
    for (const met of unchecked) parts.onUnchecked(toKey(met));
    return { ...comparison, unchecked };
  }

  function fromMemory(request: CheckRequest, strict: readonly MetBudget[]): Comparison | undefined {
    const wanted = toReserveRequest(request, strict);
    if (!request.reserve) {
      const room = ledger.roomInMemory(wanted);
      return room && compareStandings(strict, room);
    }
    const { reservation, figures } = ledger.reserveFromMemory(wanted);
    return reservation && compareHeld(strict, figures, reservation);
  }

  /** A warning is not worth a failed check: without the database there are none. */
  async function warningsOf(soft: readonly MetBudget[]): Promise<Standing[]> {
    if (soft.length === 0) return [];
    try {
      const figures = await ledger.recentFigures(soft.map(toKey));
      return standingsOf(soft, figures).filter(({ remaining, amount }) => remaining < amount);
    } catch (error) {
      if (!isDatabaseUnavailable(error)) throw error;
      return [];
    }
  }

  return { check };
}

/** A comparison some of whose budgets could not be asked. */
interface UncheckedComparison extends Comparison {
  readonly unchecked?: readonly MetBudget[];
}

const NOTHING_TO_COMPARE: Comparison = {
  isAllowed: true,
  reservation: undefined,
  standings: [],
  short: undefined,
};

interface CheckFacts {
  readonly nowMs: number;
  readonly denial: QuotaReason;
  readonly estimatedCostNanoUsd: bigint;
}

/** @param comparison - undefined: no budget could deny */
function conclude(
  comparison: UncheckedComparison | undefined,
  warnings: readonly Standing[],
  facts: CheckFacts,
): CheckResult {
  const { estimatedCostNanoUsd } = facts;
  if (!comparison) {
    return answer({ allowed: true, reason: "UNLIMITED", estimatedCostNanoUsd, warnings });
  }
  const judgement = judge(comparison, facts);
  const { allowed } = judgement;
  const { unchecked } = comparison;
  return {
    allowed,
    reason: judgement.reason,
    message: allowed && unchecked ? uncheckedMessage(unchecked) : judgement.message,
    reservation: judgement.reservation,
    limiting: judgement.limiting,
    remainingNanoUsd: judgement.remainingNanoUsd,
    retryAfterMs: judgement.retryAfterMs,
    estimatedCostNanoUsd,
    warnings,
  };
}

function subjectOf(request: CheckRequest, userId: string): SpendSubject {
  const { apiKeyId, provider, model, tags } = request;
  return { userId, apiKeyId, provider, model, tags };
}

function uncheckedMessage(unchecked: readonly MetBudget[]): string {
  const names = unchecked.map(({ budget }) => `"${budget.budgetId}"`).join(", ");
  return `the database is away: allowed without asking budget ${names}`;
}

function unpriced({ model, provider }: CheckRequest): CheckResult {
  const at = provider === "" ? "" : ` at provider "${provider}"`;
  const message = `model "${model}"${at} has no price, and a budget in money applies`;
  return answer({ allowed: false, reason: "MODEL_NOT_PRICED", message });
}

function meet(budget: Budget, expected: ExpectedSpend, nowMs: number): MetBudget {
  return {
    budget,
    period: periodAt(budget.window, nowMs),
    amount: amountFor(budget, expected),
    isExpired: budget.expireTimeMs !== null && budget.expireTimeMs <= nowMs,
  };
}

function toKey({ budget, period }: MetBudget): PeriodKey {
  return { budgetId: budget.budgetId, periodStartMs: period.startMs };
}

function toReserveRequest(request: CheckRequest, met: readonly MetBudget[]): ReserveRequest {
  return {
    needs: met.map(({ budget, period, amount }) => ({
      budgetId: budget.budgetId,
      periodStartMs: period.startMs,
      amount,
    })),
    ttlMs: request.reservationTtlMs,
    requestId: request.requestId,
  };
}

function answer(
  given: Pick<CheckResult, "allowed" | "reason"> & Partial<CheckResult>,
): CheckResult {
  return {
    message: "",
    reservation: undefined,
    estimatedCostNanoUsd: 0n,
    limiting: undefined,
    remainingNanoUsd: undefined,
    warnings: [],
    retryAfterMs: undefined,
    ...given,
  };
}
