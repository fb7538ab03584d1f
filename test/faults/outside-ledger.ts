import { expect } from "chai";
import { RpcError } from "../../src/client/grpc-client.js";
import { type Spoken, standing } from "../quota/quota-fixture.js";
import { expectBalancedBooks } from "../support/books.js";

/** What callers know of their requests, kept outside of what is killed. */
export interface OutsideLedger {
  /** A user whose budget of the same id has this limit. */
  addUser(userId: string, limit: bigint): void;
  /** A record is about to be sent; from here on it may be there. */
  send(requestId: string, userId: string, cost: bigint): void;
  /** It was acknowledged; from here on it must be there. */
  acknowledge(requestId: string): void;
  /** How many were acknowledged. */
  acknowledged(): number;
  /**
   * Expects that every acknowledged record is there with its cost, that every budget has spent
   * exactly what the records on it cost and no more than its limit, and that the books agree.
   * Nothing may be under way meanwhile.
   */
  compare(server: Spoken): Promise<void>;
  /** Whether no reservation and no lease holds anything of a budget. */
  isNothingHeld(server: Spoken): Promise<boolean>;
}

interface Sent {
  readonly requestId: string;
  readonly userId: string;
  readonly cost: bigint;
  isAcknowledged: boolean;
}

/** Makes an empty ledger. */
export function createOutsideLedger(): OutsideLedger {
  const limits = new Map<string, bigint>();
  const sent = new Map<string, Sent>();
  /** Records that were seen on the server, by request id. */
  const seen = new Map<string, Sent>();
  let acknowledged = 0;

  /** Looks up what was not seen yet: what was acknowledged, and what may be there. */
  async function lookUp(server: Spoken): Promise<void> {
    const unseen = [...sent.values()].filter(({ requestId }) => !seen.has(requestId));
    const lost: string[] = [];
    await Promise.all(
      unseen.map(async (record) => {
        const cost = await costOf(server, record.requestId);
        if (cost !== undefined) {
          expect(cost, record.requestId).to.equal(record.cost);
          seen.set(record.requestId, record);
        } else if (record.isAcknowledged) lost.push(record.requestId);
      }),
    );
    expect(lost, "acknowledged and lost").to.deep.equal([]);
  }

  function spentOf(user: string): bigint {
    let sum = 0n;
    for (const { userId, cost } of seen.values()) if (userId === user) sum += cost;
    return sum;
  }

  return {
    addUser: (userId, limit) => void limits.set(userId, limit),
    send: (requestId, userId, cost) =>
      void sent.set(requestId, { requestId, userId, cost, isAcknowledged: false }),
    acknowledge(requestId) {
      sent.get(requestId)!.isAcknowledged = true;
      acknowledged += 1;
    },
    acknowledged: () => acknowledged,
    async compare(server) {
      await lookUp(server);
      for (const [userId, limit] of limits) {
        const { spent, held } = await standing(server, userId);
        expect(spent, `spent by ${userId}`).to.equal(spentOf(userId));
        expect(spent + held <= limit, `${userId}: ${spent} + ${held} of ${limit}`).to.equal(true);
      }
      const { records } = await expectBalancedBooks(server);
      expect(records, "records, each once").to.equal(BigInt(seen.size));
    },
    async isNothingHeld(server) {
      for (const userId of limits.keys()) {
        if ((await standing(server, userId)).held !== 0n) return false;
      }
      return true;
    },
  };
}

/** List cost of a record; undefined when there is none. */
async function costOf({ clients }: Spoken, requestId: string): Promise<bigint | undefined> {
  try {
    const { record } = await clients.recorder.getUsage({ requestId });
    return record?.cost?.totalNanoUsd;
  } catch (error) {
    if (error instanceof RpcError && error.codeName === "NOT_FOUND") return undefined;
    throw error;
  }
}
