/** What was asked of one lease in some time. */
interface Window {
  /** Reservations asked for. */
  count: number;
  /** Their amounts together, in the budget's measure. */
  amount: bigint;
}

/** How fast a lease is being asked, by the last seconds. */
export interface Demand {
  /** Since the last window ended. */
  current: Window;
  /** The last window and the one before, brought to a second each. */
  last: Window;
  before: Window;
}

/** A lease keeps what is asked of it in so many seconds. */
const SECONDS_IN_STORE = 2n;
/** Below so many reservations a second, asking for each by itself costs nothing to speak of. */
const MIN_RATE_PER_SECOND = 8;

/** Nothing was asked yet. */
export function noDemand(): Demand {
  return { current: emptyWindow(), last: emptyWindow(), before: emptyWindow() };
}

/** Counts a reservation that was asked for. */
export function noteDemand({ current }: Demand, amount: bigint): void {
  current.count += 1;
  current.amount += amount;
}

/**
 * Ends the current window.
 *
 * @param elapsedMs - how long it was, at least 1
 */
export function endWindow(demand: Demand, elapsedMs: number): void {
  const { count, amount } = demand.current;
  const ms = Math.max(Math.round(elapsedMs), 1);
  demand.before = demand.last;
  demand.last = { count: (count * 1_000) / ms, amount: (amount * 1_000n) / BigInt(ms) };
  demand.current = emptyWindow();
}

/**
 * What a lease should have free: two seconds' worth of the busier of the last two seconds. 0 for a
 * lease that is seldom asked, and for a first burst, of which nobody knows whether it goes on: then
 * every caller gets exactly what it asks for, and nothing lies idle.
 */
export function targetOf({ last, before }: Demand): bigint {
  const busier = last.amount > before.amount ? last : before;
  return busier.count < MIN_RATE_PER_SECOND ? 0n : busier.amount * SECONDS_IN_STORE;
}

/** Whether anything was asked in the last window. */
export function isActive({ last }: Demand): boolean {
  return last.count > 0;
}

function emptyWindow(): Window {
  return { count: 0, amount: 0n };
}
