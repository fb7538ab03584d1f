import { setTimeout as delay } from "node:timers/promises";
import type { Prng } from "../../src/traffic/prng.js";
import { untilKnown, userWithLimit } from "../quota/quota-fixture.js";
import { eventually } from "../support/eventually.js";
import { startLoad } from "./load.js";
import { createOutsideLedger, type OutsideLedger } from "./outside-ledger.js";
import type { Replica } from "./replica.js";

/** Rounds in each of which something is killed under load. */
export interface RoundsPlan {
  readonly replicas: readonly Replica[];
  readonly rounds: number;
  readonly prng: Prng;
  /** Calls that are answered before something is killed, at least and at most. */
  readonly answers: readonly [min: number, max: number];
  /** Kills, and brings back what was killed; says what it was. */
  readonly strike: () => Promise<string>;
  /** Told after each round. */
  readonly onRound?: (text: string) => void;
}

const CALLERS = 8;
/** Budgets that are never spent, and hear of every round. */
const RICH_USERS = 4;
const RICH_LIMIT = 1_000_000_000_000n;
/** A budget that one round spends to its end. */
const TIGHT_LIMIT = 20_000n;
/** A signal comes at any moment of a call. */
const MAX_DELAY_MS = 20;

/** Runs them, and after each compares what is there with what was acknowledged. */
export async function runRounds(plan: RoundsPlan): Promise<OutsideLedger> {
  const { replicas, rounds, prng, strike, onRound } = plan;
  const ledger = createOutsideLedger();
  const rich = await Promise.all(
    Array.from({ length: RICH_USERS }, () => addUser(replicas, ledger, RICH_LIMIT)),
  );
  for (let round = 1; round <= rounds; round += 1) {
    const tight = await addUser(replicas, ledger, TIGHT_LIMIT);
    const userIds = [...rich, tight];
    const load = startLoad({ replicas, ledger, userIds, prng, callers: CALLERS });
    await load.answers(prng.integer(...plan.answers));
    await delay(prng.integer(0, MAX_DELAY_MS));
    const what = await strike();
    await load.answers(CALLERS);
    await load.stop();
    await ledger.compare(prng.pick(replicas));
    onRound?.(`${round} of ${rounds}: ${what}; ${ledger.acknowledged()} records acknowledged`);
  }
  return ledger;
}

async function addUser(
  replicas: readonly Replica[],
  ledger: OutsideLedger,
  limit: bigint,
): Promise<string> {
  const userId = await userWithLimit(replicas[0]!, limit);
  await Promise.all(replicas.map((replica) => untilKnown(replica, userId)));
  ledger.addUser(userId, limit);
  return userId;
}

/** Waits until every reservation has gone, of the dead, too. */
export async function untilNothingIsHeld(
  ledger: OutsideLedger,
  replica: Replica,
  timeoutMs: number,
): Promise<void> {
  await eventually("nothing is held", () => ledger.isNothingHeld(replica), timeoutMs);
  await ledger.compare(replica);
}

/** Kills one of the replicas, or sometimes all at once, and starts them again. */
export async function killReplicas(replicas: readonly Replica[], prng: Prng): Promise<string> {
  const killed = prng.chance(0.25) ? replicas : [prng.pick(replicas)];
  await Promise.all(killed.map((replica) => replica.kill()));
  await Promise.all(killed.map((replica) => replica.start()));
  return killed.length === 1 ? "killed one replica" : `killed ${killed.length} replicas at once`;
}
