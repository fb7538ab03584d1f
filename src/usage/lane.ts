import { type Entry, isAmend } from "./record-request.js";

/** One of the ways into the database that are used at the same time. */
export interface Lane {
  push(entry: Entry): void;
}

/**
 * One batch is under way at a time; whatever arrives meanwhile forms the next. There is no timer: a
 * lone entry is committed at once.
 *
 * @param commit - writes a batch; must not throw
 */
export function createLane(
  batchSize: number,
  commit: (batch: readonly Entry[]) => Promise<void>,
): Lane {
  let queue: Entry[] = [];
  let isRunning = false;

  async function run(): Promise<void> {
    // Lets the other calls that arrived in the same turn of the event loop join the batch.
    await new Promise(setImmediate);
    while (queue.length > 0) {
      const batch = queue.slice(0, batchSize);
      queue = queue.slice(batchSize);
      await commit(batch);
    }
    isRunning = false;
  }

  return {
    push(entry) {
      queue.push(entry);
      if (isRunning) return;
      isRunning = true;
      void run();
    },
  };
}

/**
 * Which of so many lanes an entry takes: always the same for one user, so that lanes do not wait for
 * each other's locks on the user's budgets, totals and rollups. Whose record an amendment is about
 * is not known before it is read; any lane is right, so the ids are spread. FNV-1a, 32 bits.
 */
export function laneOf(entry: Entry, lanes: number): number {
  const text = isAmend(entry)
    ? entry.requestId
    : entry.submission.userId || entry.submission.apiKeyId;
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) % lanes;
}
