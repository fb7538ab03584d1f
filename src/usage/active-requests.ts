import type { ActiveStore } from "./active-store.js";
import type { Expirer } from "./expirer.js";
import type { UsageRecord } from "./usage-record.js";
import type { UsageStore } from "./usage-store.js";

/** Which requests are asked about. */
export interface ActiveQuery {
  /** Whatever their status; empty: those that are active. */
  readonly requestIds: readonly string[];
  /** "": everybody's. */
  readonly userId: string;
  /** After how long without activity a request is overdue, unless its endpoint says otherwise. */
  readonly timeoutMs: number;
  /** Most requests, where no ids are asked for. */
  readonly limit: number;
}

/** What is known of requests under way. */
export interface ActiveRequests {
  /** Unfinished records, newest first. `userId` "": everybody's. */
  list(userId: string, limit: number): Promise<UsageRecord[]>;
  /** Records, newest first, of which those that are overdue were failed. */
  statuses(query: ActiveQuery): Promise<UsageRecord[]>;
}

/** Makes it. */
export function createActiveRequests(parts: {
  readonly activeStore: Pick<ActiveStore, "readActive">;
  readonly store: Pick<UsageStore, "read">;
  readonly expirer: Pick<Expirer, "expireAmong">;
}): ActiveRequests {
  const { activeStore, store, expirer } = parts;

  async function read({ requestIds, userId, limit }: ActiveQuery): Promise<UsageRecord[]> {
    if (requestIds.length === 0) return activeStore.readActive(userId, limit);
    const records = await store.read(requestIds);
    const own = records.filter((record) => userId === "" || record.userId === userId);
    return own.sort((a, b) => b.createTimeUs - a.createTimeUs);
  }

  return {
    list: (userId, limit) => activeStore.readActive(userId, limit),
    statuses: async (query) => expirer.expireAmong(await read(query), query.timeoutMs),
  };
}
