import { expect } from "chai";
import { createPrng } from "../../src/traffic/prng.js";
import { standing, untilKnown, userWithLimit } from "../quota/quota-fixture.js";
import { eventually } from "../support/eventually.js";
import type { Replica } from "./replica.js";
import { type Caller, spendBudget } from "./spend-budget.js";

/** What a replica does not use it returns once a second. */
const HEARTBEAT_MS = 1_000;
/** For the heartbeat itself, and for timers that come late. */
const MARGIN_MS = 500;
const RESERVED = 1_000n;

/** Who spends a budget of so many nano-USD. */
export type Callers = (replicas: readonly Replica[], limit: bigint) => readonly Caller[];

/** All spend all the time. */
export const allTogether: Callers = (replicas, limit) =>
  replicas.flatMap((replica) => Array<Caller>(4).fill({ replica, from: 0n, to: limit }));

/** The first spends half of it as fast as it can and stops; the others spend the rest. */
export const oneAfterAnother: Callers = ([first, ...others], limit) => {
  const half = limit / 2n;
  const busy = Array<Caller>(12).fill({ replica: first!, from: 0n, to: half });
  return [...busy, ...others.map((replica) => ({ replica, from: half, to: limit }))];
};

/**
 * Spends the budget of a new user and expects that it was spent to its end and not further, that
 * nobody was denied for longer than a heartbeat while there was plenty, and that nothing is left
 * behind.
 */
export async function expectSpentToTheEnd(
  replicas: readonly Replica[],
  plan: { readonly requests: number; readonly seed: number; readonly callers: Callers },
): Promise<void> {
  const limit = BigInt(plan.requests) * RESERVED;
  const userId = await userWithLimit(replicas[0]!, limit);
  await Promise.all(replicas.map((replica) => untilKnown(replica, userId)));
  const { spent, ...report } = await spendBudget({
    userId,
    limit,
    reserved: RESERVED,
    callers: plan.callers(replicas, limit),
    prng: createPrng(plan.seed),
  });
  const story = JSON.stringify({ ...report, spent: String(spent), limit: String(limit) });
  expect(spent <= limit, story).to.equal(true);
  expect(limit - spent < RESERVED, story).to.equal(true);
  // On a machine that is busy with other things a heartbeat takes as long as calls do.
  const patienceMs = HEARTBEAT_MS + MARGIN_MS + 2 * report.longestCallMs;
  expect(report.longestDenialMs, story).to.be.below(patienceMs);
  await eventually(`nothing is held any more: ${story}`, async () => {
    const standings = await standing(replicas[0]!, userId);
    expect(standings.spent).to.equal(spent);
    return standings.held === 0n;
  });
}
