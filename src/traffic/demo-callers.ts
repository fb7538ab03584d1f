import type { Caller } from "./generator.js";

/** How tightly a demo caller is budgeted. */
export type Allowance = "ample" | "tight" | "prepaid" | "nearly-spent" | "unlimited";

/** A caller of the demo, and what it may spend. */
export interface DemoCaller extends Caller {
  readonly allowance: Allowance;
}

/** The team whose budget on its tag is tight. */
export const TIGHT_TEAM = "research";
/** The team of partners, who spend from prepaid keys. */
export const PARTNER_TEAM = "partners";
/** The user who made the prepaid keys. */
export const PARTNER_USER_ID = "partner-desk";
/** The user who is exempt from budgets. */
export const ADMIN_USER_ID = "platform-admin";
/** The user who may use a single model. */
export const INTERN_USER_ID = "support-10";
/** The user who is warned before the budget ends. */
export const SOFT_USER_ID = "growth-02";

const TEAMS = ["platform", "support", TIGHT_TEAM, "growth"];
const USERS_PER_TEAM = 10;
/** Numbers of the users whose budgets are tight, in teams whose own is not. */
const TIGHT_NUMBERS = [1, 4];
/** Prepaid keys; the balance of the second is soon used up. */
const PREPAID_KEYS: readonly [apiKeyId: string, allowance: Allowance][] = [
  ["prepaid-acme", "prepaid"],
  ["prepaid-globex", "nearly-spent"],
  ["prepaid-initech", "prepaid"],
];

/**
 * Everybody who sends in the demo, the heaviest first: forty users of four teams with an API
 * key or two each, three prepaid keys of partners, and an admin.
 *
 * Only callers with ample budgets abandon requests: what a release gives back is free again with
 * the ledger's next heartbeat, so that near a limit the clock would decide who is denied.
 */
export const DEMO_CALLERS: readonly DemoCaller[] = [...teamUsers(), ...partners(), admin()];

/** Requests of one lane are sent in order, so that the same seed denies the same ones. */
export function demoLaneOf(request: {
  readonly userId: string;
  readonly apiKeyId: string;
  readonly tags: Readonly<Record<string, string>>;
}): string {
  const { team } = request.tags;
  if (team === TIGHT_TEAM) return TIGHT_TEAM;
  return team === PARTNER_TEAM ? request.apiKeyId : request.userId;
}

function teamUsers(): DemoCaller[] {
  const callers: DemoCaller[] = [];
  for (let number = 1; number <= USERS_PER_TEAM; number += 1) {
    for (const team of TEAMS) callers.push(teamUser(team, number, callers.length));
  }
  return callers;
}

function teamUser(team: string, number: number, rank: number): DemoCaller {
  const userId = `${team}-${String(number).padStart(2, "0")}`;
  const isTight = team !== TIGHT_TEAM && TIGHT_NUMBERS.includes(number);
  return {
    userId,
    apiKeyIds: number % 3 === 0 ? [`${userId}-laptop`, `${userId}-ci`] : [`${userId}-laptop`],
    team,
    // Zipf's law, flattened: a few send most of it. The tight team is a small lane, or its
    // requests, one after the other, would decide how long the demo takes.
    weight: (team === TIGHT_TEAM ? 0.25 : 1) / (rank + 12),
    abandons: !isTight && team !== TIGHT_TEAM,
    allowance: isTight ? "tight" : "ample",
  };
}

function partners(): DemoCaller[] {
  return PREPAID_KEYS.map(([apiKeyId, allowance]) => ({
    userId: PARTNER_USER_ID,
    apiKeyIds: [apiKeyId],
    team: PARTNER_TEAM,
    weight: 1 / 20,
    abandons: false,
    allowance,
  }));
}

function admin(): DemoCaller {
  return {
    userId: ADMIN_USER_ID,
    apiKeyIds: [`${ADMIN_USER_ID}-laptop`],
    team: "platform",
    weight: 1 / 20,
    abandons: false,
    allowance: "unlimited",
  };
}
