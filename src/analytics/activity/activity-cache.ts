import type { Logger } from "pino";
import type { Cache, Removal } from "../../cache/cache.js";
import type { ActivityQuestion } from "./activity.js";
import {
  ACTIVITY_PREFIX,
  type ActivityEntry,
  activityKey,
  readActivityEntry,
  userOfKey,
  userPrefix,
  writeActivityEntry,
} from "./activity-entry.js";

/** Activity that was counted a short while ago. */
export interface ActivityCache {
  /** The entry that answers a question; one that is broken is dropped. */
  find(question: ActivityQuestion): Promise<ActivityEntry | undefined>;
  /** Keeps an entry for 5 minutes. */
  keep(entry: ActivityEntry): Promise<void>;
  /** Drops the entries of a user, or all. */
  forget(userId?: string): Promise<Removal>;
  /** Drops the entries of users in the background. */
  forgetUsers(userIds: readonly string[]): void;
}

/** Options of {@link createActivityCache}. */
export interface ActivityCacheOptions {
  readonly cache: Cache;
  readonly logger: Logger;
}

const TTL_MS = 300_000;

/** Makes a view of a cache. */
export function createActivityCache({ cache, logger }: ActivityCacheOptions): ActivityCache {
  let waiting = new Set<string>();
  let isForgetting = false;

  /** Whoever is to be forgotten meanwhile is looked for together with others. */
  async function forgetWaiting(): Promise<void> {
    isForgetting = true;
    while (waiting.size > 0) {
      const users = waiting;
      waiting = new Set();
      const [only] = users;
      const prefix = users.size === 1 ? userPrefix(only ?? "") : userPrefix("").slice(0, -1);
      await cache.deleteMatching(prefix, (key) => users.has(userOfKey(key) ?? ""));
    }
    isForgetting = false;
  }

  return {
    async find(question) {
      const key = activityKey(question);
      const text = await cache.get(key);
      if (text === undefined) return undefined;
      const entry = readActivityEntry(text, question);
      if (entry === undefined) {
        logger.debug({ key }, "broken entry in the cache");
        await cache.delete(key);
      }
      return entry;
    },
    keep: (entry) => cache.set(activityKey(entry), writeActivityEntry(entry), TTL_MS),
    forget: (userId) =>
      userId === undefined
        ? cache.deleteMatching(ACTIVITY_PREFIX, () => true)
        : cache.deleteMatching(userPrefix(userId), (key) => userOfKey(key) === userId),
    forgetUsers(userIds) {
      for (const userId of userIds) waiting.add(userId);
      if (!isForgetting) void forgetWaiting();
    },
  };
}
