import { type PeriodKey, periodKeyOf } from "./lease.js";

/** Requests that passed one period of a budget unasked, while the database was away. */
export interface UncheckedPasses extends PeriodKey {
  readonly requests: number;
}

/** Counts requests that no budget could be asked about, until that can be told. */
export interface UncheckedCounter {
  count(period: PeriodKey): void;
  /** Tells what was counted since the last time, if anything. @throws what telling throws */
  flush(): Promise<void>;
}

/**
 * Makes a counter. What is counted is kept in memory: a replica that is killed before the database
 * is back takes its count with it.
 *
 * @param tell - fires an alert for each period
 */
export function createUncheckedCounter(
  tell: (passes: readonly UncheckedPasses[]) => Promise<void>,
): UncheckedCounter {
  let counted = new Map<string, UncheckedPasses>();

  function add({ budgetId, periodStartMs }: PeriodKey, requests: number): void {
    const key = periodKeyOf({ budgetId, periodStartMs });
    const before = counted.get(key)?.requests ?? 0;
    counted.set(key, { budgetId, periodStartMs, requests: before + requests });
  }

  return {
    count: (period) => add(period, 1),
    async flush() {
      if (counted.size === 0) return;
      const passes = [...counted.values()];
      counted = new Map();
      try {
        await tell(passes);
      } catch (error) {
        for (const pass of passes) add(pass, pass.requests);
        throw error;
      }
    },
  };
}
