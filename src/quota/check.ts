import type { UnpricedModelPolicy } from "../catalog/settings.js";
import type { PricingCatalog } from "../pricing/pricing-terms.js";
import { admit, isDenial, type QuotaReason } from "./admission.js";
import { budgetsChecked } from "./applicable-budgets.js";
import type { Budget, QuotaDirectory } from "./directory.js";
import { type Expectation, type ExpectedSpend, expectedSpend } from "./expectation.js";
import type { OpenReservation } from "./lease-book.js";
import type { Ledger } from "./ledger.js";
import { amountFor } from "./spend.js";
import {
  denialMessage,
  isShort,
  type MetBudget,
  retryAfterMs,
  type Standing,
  standingOf,
  tightest,
} from "./verdict.js";
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
export interface CheckResult {
  readonly allowed: boolean;
  readonly reason: QuotaReason;
  /** For people. */
  readonly message: string;
  readonly reservation: OpenReservation | undefined;
  readonly estimatedCostNanoUsd: bigint;
  /** The budget that denied, or else the one in money with the least left. */
  readonly limiting: Standing | undefined;
  /** Least left on a HARD budget in money, nano-USD. Undefined: unlimited. */
  readonly remainingNanoUsd: bigint | undefined;
  /** SOFT budgets that would be passed. */
  readonly warnings: readonly Standing[];
  readonly retryAfterMs: number | undefined;
}

/** Says whether a caller may spend. */
export interface Checker {
  /** @throws when the database is needed and away */
  check(request: CheckRequest): Promise<CheckResult>;
}

/** Makes a checker. */
export function createChecker(parts: {
  readonly directory: QuotaDirectory;
  readonly pricing: PricingCatalog;
  readonly ledger: Pick<Ledger, "reserve" | "figures" | "nowMs">;
  readonly unpricedModelPolicy: () => UnpricedModelPolicy;
}): Checker {
  const { directory, pricing, ledger } = parts;

  async function check(request: CheckRequest): Promise<CheckResult> {
    const nowMs = ledger.nowMs();
    const admission = admit(directory, request, nowMs);
    if (isDenial(admission)) return answer({ ...admission, allowed: false });
    const expected = expectedSpend(pricing, request, nowMs);
    const estimatedCostNanoUsd = expected.listNanoUsd;
    if (!admission.isStandalone && admission.user?.role === "ADMIN") {
      return answer({ allowed: true, reason: "ADMIN_EXEMPT", estimatedCostNanoUsd });
    }
    const subject = { ...request, userId: admission.userId };
    const met = budgetsChecked(directory, subject)
      .filter(({ limit }) => limit !== null)
      .map((budget) => meet(budget, expected, nowMs));
    const hard = met.filter(({ budget }) => budget.enforcement === "HARD");
    const soft = met.filter(({ budget }) => budget.enforcement === "SOFT");
    if (isUnpricedDenied(expected, hard)) return unpriced(request);
    const warnings = await warningsOf(soft);
    if (hard.length === 0) {
      return answer({ allowed: true, reason: "UNLIMITED", estimatedCostNanoUsd, warnings });
    }
    const result = request.reserve ? await reserve(request, hard) : await compare(hard);
    const denial = admission.isStandalone ? "BALANCE_INSUFFICIENT" : "QUOTA_EXCEEDED";
    return judge(result, { denial, estimatedCostNanoUsd, warnings, nowMs });
  }

  /** A token estimate that nobody can price must not pass a limit in money as if it were free. */
  function isUnpricedDenied(expected: ExpectedSpend, hard: readonly MetBudget[]): boolean {
    if (!expected.isUnpriced || parts.unpricedModelPolicy() === "ALLOW") return false;
    return hard.some(({ budget }) => budget.measure === "COST");
  }

  async function reserve(request: CheckRequest, hard: readonly MetBudget[]): Promise<Comparison> {
    const { reservation, figures } = await ledger.reserve({
      needs: hard.map(({ budget, period, amount }) => ({
        budgetId: budget.budgetId,
        periodStartMs: period.startMs,
        amount,
      })),
      ttlMs: request.reservationTtlMs,
      requestId: request.requestId,
    });
    const standings = hard.flatMap((entry, index) => standingOf(entry, figures[index]!) ?? []);
    const short = reservation ? undefined : (standings.find(isShort) ?? standings[0]);
    return { isAllowed: reservation !== undefined, reservation, standings, short };
  }

  async function compare(hard: readonly MetBudget[]): Promise<Comparison> {
    const standings = await standingsOf(hard);
    const short = standings.find(isShort);
    return { isAllowed: !short, reservation: undefined, standings, short };
  }

  async function warningsOf(soft: readonly MetBudget[]): Promise<Standing[]> {
    if (soft.length === 0) return [];
    const standings = await standingsOf(soft);
    return standings.filter(({ remaining, amount }) => remaining < amount);
  }

  async function standingsOf(met: readonly MetBudget[]): Promise<Standing[]> {
    const keys = met.map(({ budget, period }) => ({
      budgetId: budget.budgetId,
      periodStartMs: period.startMs,
    }));
    const figures = await ledger.figures(keys);
    return met.flatMap((entry, index) => standingOf(entry, figures[index]!) ?? []);
  }

  return { check };
}

/** How the expected amounts compare with what is left. */
interface Comparison {
  readonly isAllowed: boolean;
  readonly reservation: OpenReservation | undefined;
  readonly standings: readonly Standing[];
  /** The budget that has no room. */
  readonly short: Standing | undefined;
}

function judge(
  { isAllowed, reservation, standings, short }: Comparison,
  facts: {
    readonly denial: QuotaReason;
    readonly estimatedCostNanoUsd: bigint;
    readonly warnings: readonly Standing[];
    readonly nowMs: number;
  },
): CheckResult {
  const { denial, estimatedCostNanoUsd, warnings, nowMs } = facts;
  const least = tightest(standings);
  const common = { estimatedCostNanoUsd, warnings, remainingNanoUsd: least?.remaining };
  if (isAllowed) {
    return answer({ ...common, allowed: true, reason: "OK", reservation, limiting: least });
  }
  return answer({
    ...common,
    allowed: false,
    reason: denial,
    limiting: short,
    ...(short && { message: denialMessage(short), retryAfterMs: retryAfterMs(short, nowMs) }),
  });
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
