import { setTimeout as delay } from "node:timers/promises";
import type { Prng } from "../../src/traffic/prng.js";
import { reserving, type Spoken } from "../quota/quota-fixture.js";
import { usage } from "../usage/usage-fixture.js";

/** One that asks, spends and asks again, one request at a time. */
export interface Caller {
  readonly replica: Spoken;
  /** Starts when the budget has spent so much. */
  readonly from: bigint;
  /** Ends when the budget has spent so much. */
  readonly to: bigint;
}

/** A budget that is spent to its end. */
export interface SpendPlan {
  readonly userId: string;
  readonly limit: bigint;
  /** What every request reserves; it costs that or less. */
  readonly reserved: bigint;
  readonly callers: readonly Caller[];
  readonly prng: Prng;
}

/** What came of it, as seen from outside. */
export interface SpendReport {
  readonly admitted: number;
  readonly denied: number;
  readonly spent: bigint;
  /**
   * The longest time for which one caller was denied again and again, although all the while more
   * than 5 % of the budget was neither spent nor held, milliseconds.
   */
  readonly longestDenialMs: number;
  /** The longest that a call took, which tells how busy the machine was, milliseconds. */
  readonly longestCallMs: number;
}

/** What is more than this share of a budget is plenty: 1 / 20. */
const PLENTY = 20n;
/** Denied callers ask again so soon. */
const ASK_AGAIN_MS = 20;
/** Nobody was admitted for so long: it is no use to go on. */
const GIVE_UP_MS = 5_000;

/** Spends until not even one request fits any more, or nobody is admitted any more. */
export async function spendBudget(plan: SpendPlan): Promise<SpendReport> {
  const { userId, limit, reserved, prng } = plan;
  const counts = { admitted: 0, denied: 0 };
  let spent = 0n;
  let held = 0n;
  let plentySinceMs: number | undefined = performance.now();
  let lastAdmittedMs = performance.now();
  let longestDenialMs = 0;
  let longestCallMs = 0;

  /** A check under way counts as held: the server may have admitted it already. */
  function move(change: { readonly held: bigint; readonly spent?: bigint }): void {
    held += change.held;
    spent += change.spent ?? 0n;
    const isPlenty = (limit - spent - held) * PLENTY > limit;
    plentySinceMs = isPlenty ? (plentySinceMs ?? performance.now()) : undefined;
  }

  const isOver = () => limit - spent < reserved || performance.now() - lastAdmittedMs > GIVE_UP_MS;

  async function call({ replica, from, to }: Caller): Promise<void> {
    while (spent < from && !isOver()) await delay(ASK_AGAIN_MS);
    let deniedSinceMs: number | undefined;
    while (spent < to && !isOver()) {
      move({ held: reserved });
      const sentMs = performance.now();
      const answer = await replica.clients.checker.checkQuota(reserving(userId, reserved));
      longestCallMs = Math.max(longestCallMs, performance.now() - sentMs);
      if (answer.allowed) {
        deniedSinceMs = undefined;
        counts.admitted += 1;
        lastAdmittedMs = performance.now();
        await spend(replica, answer.reservationId);
        continue;
      }
      counts.denied += 1;
      move({ held: -reserved });
      deniedSinceMs ??= performance.now();
      if (plentySinceMs !== undefined) {
        const deniedMs = sentMs - Math.max(deniedSinceMs, plentySinceMs);
        longestDenialMs = Math.max(longestDenialMs, deniedMs);
      }
      await delay(ASK_AGAIN_MS);
    }
  }

  async function spend({ clients }: Spoken, reservationId: string): Promise<void> {
    const cost = (reserved * BigInt(prng.integer(50, 100))) / 100n;
    const told = usage({ userId, model: "plain", inputTokens: cost, outputTokens: 0n });
    await clients.recorder.recordUsage({ usage: told, reservationId });
    move({ held: -reserved, spent: cost });
  }

  await Promise.all(plan.callers.map(call));
  return { ...counts, spent, longestDenialMs, longestCallMs };
}
