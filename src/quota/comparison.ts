import type { QuotaReason } from "./admission.js";
import type { BudgetFigures } from "./figures.js";
import type { OpenReservation } from "./open-reservations.js";
import {
  denialMessage,
  isShort,
  type MetBudget,
  retryAfterMs,
  type Standing,
  standingOf,
  tightest,
} from "./verdict.js";

/** How expected amounts compare with what budgets have left. */
export interface Comparison {
  readonly isAllowed: boolean;
  readonly reservation: OpenReservation | undefined;
  readonly standings: readonly Standing[];
  /** The budget that has no room. */
  readonly short: Standing | undefined;
}

/** What budgets say to a request. */
export interface Judgement {
  readonly allowed: boolean;
  readonly reason: QuotaReason;
  /** For people. */
  readonly message: string;
  readonly reservation: OpenReservation | undefined;
  /** The budget that denied, or else the one in money with the least left. */
  readonly limiting: Standing | undefined;
  /** Least left on a HARD budget in money, nano-USD. Undefined: unlimited. */
  readonly remainingNanoUsd: bigint | undefined;
  readonly retryAfterMs: number | undefined;
}

/** How budgets stand that were asked to hold something, or refused to. */
export function compareHeld(
  met: readonly MetBudget[],
  figures: readonly BudgetFigures[],
  reservation: OpenReservation | undefined,
): Comparison {
  const standings = standingsOf(met, figures);
  const short = reservation ? undefined : (standings.find(isShort) ?? standings[0]);
  return { isAllowed: reservation !== undefined, reservation, standings, short };
}

/** How budgets stand that are to hold nothing. */
export function compareStandings(
  met: readonly MetBudget[],
  figures: readonly BudgetFigures[],
): Comparison {
  const standings = standingsOf(met, figures);
  const short = standings.find(isShort);
  return { isAllowed: !short, reservation: undefined, standings, short };
}

/** Puts figures, in the same order, to met budgets. */
export function standingsOf(
  met: readonly MetBudget[],
  figures: readonly BudgetFigures[],
): Standing[] {
  const standings: Standing[] = [];
  met.forEach((entry, index) => {
    const standing = standingOf(entry, figures[index]!);
    if (standing) standings.push(standing);
  });
  return standings;
}

/**
 * Says what a comparison means.
 *
 * @param denial - the reason when a budget has no room
 */
export function judge(
  { isAllowed, reservation, standings, short }: Comparison,
  { denial, nowMs }: { readonly denial: QuotaReason; readonly nowMs: number },
): Judgement {
  const least = tightest(standings);
  return {
    allowed: isAllowed,
    reason: isAllowed ? "OK" : denial,
    message: isAllowed || !short ? "" : denialMessage(short),
    reservation,
    limiting: isAllowed ? least : short,
    remainingNanoUsd: least?.remaining,
    retryAfterMs: isAllowed || !short ? undefined : retryAfterMs(short, nowMs),
  };
}
