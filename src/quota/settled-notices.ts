import type { Logger } from "pino";
import type { LeaseAnswer } from "./lease.js";
import type { SettledNotice } from "./ledger-requests.js";

/** The channel on which replicas hear of reservations of theirs that others have settled. */
export const SETTLED_CHANNEL = "tally_settled";

/** Tells other replicas of settled reservations. */
export interface SettledAnnouncer {
  /** Never throws. A notice that is lost costs time: the owner finds out at the expiry. */
  announce(notice: SettledNotice): void;
}

/** PostgreSQL takes payloads below 8,000 bytes; a reservation and its leases take some 120. */
const MAX_UIDS = 40;
const MAX_LEASES = 40;

/**
 * Makes an announcer; what comes while one statement is under way goes together with the next.
 *
 * @param notify - sends payloads on {@link SETTLED_CHANNEL}
 */
export function createSettledAnnouncer(parts: {
  readonly notify: (payloads: readonly string[]) => Promise<void>;
  readonly logger: Logger;
}): SettledAnnouncer {
  let waiting: SettledNotice[] = [];
  let isRunning = false;

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const notices = waiting;
      waiting = [];
      try {
        await parts.notify(notices.flatMap(split).map(write));
      } catch (error) {
        parts.logger.debug({ err: error }, "settled reservations could not be announced");
      }
    }
    isRunning = false;
  }

  return {
    announce(notice) {
      waiting.push(notice);
      if (isRunning) return;
      isRunning = true;
      void run();
    },
  };
}

/**
 * Every part holds all leases of its reservations, or an owner would take amounts for free that
 * have left its lease: where they are too many, the owner finds out at the expiry.
 */
function split({ uids, leases }: SettledNotice): SettledNotice[] {
  if (leases.length > MAX_LEASES) return [];
  const parts: SettledNotice[] = [];
  for (let at = 0; at < uids.length; at += MAX_UIDS) {
    parts.push({ uids: uids.slice(at, at + MAX_UIDS), leases });
  }
  return parts;
}

function write({ uids, leases }: SettledNotice): string {
  return JSON.stringify({
    uids,
    leases: leases.map(({ leaseId, amount, version }) => [leaseId, amount, version].map(String)),
  });
}

/** Reads a payload; undefined for what no replica of this version sends. */
export function readSettledNotice(payload: string): SettledNotice | undefined {
  try {
    const { uids, leases } = JSON.parse(payload) as {
      uids: string[];
      leases: [string, string, string][];
    };
    return { uids, leases: leases.map(readLease) };
  } catch {
    return undefined;
  }
}

function readLease([leaseId, amount, version]: [string, string, string]): LeaseAnswer {
  return { leaseId: BigInt(leaseId), amount: BigInt(amount), version: BigInt(version) };
}
