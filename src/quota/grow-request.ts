import { LEASE_MARGIN_MS, type Lease, type PeriodKey, periodKeyOf } from "./lease.js";
import type { LeaseBook, Need } from "./lease-book.js";
import type { GrowRequest } from "./ledger-messages.js";
import type { ReservationTerms } from "./open-reservations.js";

/** Who waits for a grow, and what else it should bring. */
export interface GrowWishes {
  readonly group: readonly { readonly needs: readonly Need[]; readonly terms: ReservationTerms }[];
  /** Leases to be brought back to their targets. */
  readonly refills: readonly Lease[];
  /** By the database's clock, milliseconds since 1970. */
  readonly nowMs: number;
}

/**
 * Folds what callers need, and what leases lack, into one question, and sets aside what the callers
 * will use.
 *
 * @returns the question, and the index of each period in it by {@link periodKeyOf}
 */
export function toGrowRequest(
  book: LeaseBook,
  wanted: GrowWishes,
): { readonly request: GrowRequest; readonly keys: ReadonlyMap<string, number> } {
  const keys = new Map<string, number>();
  const periods: (PeriodKey & { expireTimeMs: number })[] = [];
  const indexOf = (period: PeriodKey, expireTimeMs: number) => {
    const key = periodKeyOf(period);
    const known = keys.get(key);
    if (known !== undefined) {
      const entry = periods[known]!;
      entry.expireTimeMs = Math.max(entry.expireTimeMs, expireTimeMs);
      return known;
    }
    const { budgetId, periodStartMs } = period;
    keys.set(key, periods.length);
    return periods.push({ budgetId, periodStartMs, expireTimeMs }) - 1;
  };
  const callers = wanted.group.map(({ needs, terms }) => {
    const expireTimeMs = terms.expireTimeMs + LEASE_MARGIN_MS;
    for (const need of needs) indexOf(need, expireTimeMs);
    return book
      .setAside(needs, terms)
      .map((ask) => ({ period: indexOf(ask, expireTimeMs), amount: ask.amount }));
  });
  for (const lease of wanted.refills) {
    indexOf(lease, wanted.nowMs + lease.longestTtlMs + LEASE_MARGIN_MS);
  }
  const request: GrowRequest = {
    periods: periods.map((period) => ({ ...period, extra: book.refillOf(period) })),
    callers,
  };
  return { request, keys };
}
