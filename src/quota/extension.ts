import type { UnpricedModelPolicy } from "../catalog/settings.js";
import { DomainError } from "../errors.js";
import type { PricingCatalog } from "../pricing/pricing-terms.js";
import type { QuotaReason } from "./admission.js";
import { compareHeld, type Judgement, judge } from "./comparison.js";
import type { Budget, QuotaDirectory } from "./directory.js";
import { type Expectation, type ExpectedSpend, expectedSpend } from "./expectation.js";
import type { BudgetFigures } from "./figures.js";
import type { Ledger } from "./ledger.js";
import type { Hold, Reservation } from "./reservation.js";
import { amountFor } from "./spend.js";
import type { MetBudget } from "./verdict.js";
import { periodAt } from "./window.js";

/** What a request turns out to use in all, and how long it goes on. */
export interface ExtensionRequest {
  readonly reservation: Reservation;
  /** Unset: the amounts stay. */
  readonly expectation: Expectation | undefined;
  /** From now, milliseconds. Unset: the end stays. */
  readonly ttlMs: number | undefined;
}

/** How an extension was answered. */
export interface Extension {
  readonly result: Judgement;
  readonly estimatedCostNanoUsd: bigint;
}

/** What extending needs. */
export interface ExtensionParts {
  readonly directory: QuotaDirectory;
  readonly pricing: PricingCatalog;
  readonly ledger: Pick<Ledger, "extend" | "nowMs">;
  readonly unpricedModelPolicy: () => UnpricedModelPolicy;
}

/** Makes reservations hold more, or longer. */
export interface ReservationExtender {
  /**
   * @throws DomainError RESERVATION_ENDED, DATABASE_UNAVAILABLE; CostOutOfRangeError when the
   *   estimate costs more than 64 bits hold
   */
  extend(request: ExtensionRequest): Promise<Extension>;
}

/** Makes an extender. */
export function createReservationExtender(parts: ExtensionParts): ReservationExtender {
  const { directory, pricing, ledger } = parts;
  return {
    async extend({ reservation, expectation, ttlMs }) {
      const nowMs = ledger.nowMs();
      const expected = expectation && expectedSpend(pricing, expectation, nowMs);
      const estimatedCostNanoUsd = expected?.listNanoUsd ?? 0n;
      const budgets = reservation.holds.map(({ budgetId }) => directory.budget(budgetId));
      if (expected?.isUnpriced && isDeniedUnpriced(parts, budgets)) {
        const message = `model "${expectation?.model}" has no price, and a budget in money applies`;
        return { result: denied("MODEL_NOT_PRICED", message), estimatedCostNanoUsd };
      }
      const totals = reservation.holds.map((hold, index) =>
        totalOf(hold, budgets[index], expected),
      );
      const extended = await ledger.extend(reservation, { totals, ttlMs });
      if (extended.kind === "ENDED") throw ended();
      const { reservation: current, figures } = extended.outcome;
      const known = meet(reservation, { budgets, totals, figures });
      const comparison = compareHeld(known.met, known.figures, current);
      const denial = isStandalone(directory, budgets) ? "BALANCE_INSUFFICIENT" : "QUOTA_EXCEEDED";
      return { result: judge(comparison, { denial, nowMs }), estimatedCostNanoUsd };
    },
  };
}

function isDeniedUnpriced(
  { unpricedModelPolicy }: ExtensionParts,
  budgets: readonly (Budget | undefined)[],
): boolean {
  return unpricedModelPolicy() === "DENY" && budgets.some((budget) => budget?.measure === "COST");
}

/** A budget that has been deleted meanwhile has nothing to say to it. */
function totalOf(
  { held }: Hold,
  budget: Budget | undefined,
  expected: ExpectedSpend | undefined,
): bigint {
  return budget && expected ? amountFor(budget, expected) : held;
}

/** The budgets of a reservation, in the periods that it was made in. */
function meet(
  { holds }: Reservation,
  facts: {
    readonly budgets: readonly (Budget | undefined)[];
    readonly totals: readonly bigint[];
    readonly figures: readonly BudgetFigures[];
  },
): { met: MetBudget[]; figures: BudgetFigures[] } {
  const met: MetBudget[] = [];
  const figures: BudgetFigures[] = [];
  holds.forEach(({ periodStartMs, held }, index) => {
    const budget = facts.budgets[index];
    if (!budget) return;
    const more = facts.totals[index]! - held;
    const period = periodAt(budget.window, periodStartMs);
    met.push({ budget, period, amount: more > 0n ? more : 0n, isExpired: false });
    figures.push(facts.figures[index]!);
  });
  return { met, figures };
}

function isStandalone(
  directory: QuotaDirectory,
  budgets: readonly (Budget | undefined)[],
): boolean {
  return budgets.some(
    (budget) =>
      budget?.scope === "API_KEY" && directory.apiKey(budget.subject)?.kind === "STANDALONE",
  );
}

function denied(reason: QuotaReason, message: string): Judgement {
  return {
    allowed: false,
    reason,
    message,
    reservation: undefined,
    limiting: undefined,
    remainingNanoUsd: undefined,
    retryAfterMs: undefined,
  };
}

function ended(): DomainError {
  const message = "reservation_id: the reservation was settled, released or has expired";
  return new DomainError("RESERVATION_ENDED", message);
}
