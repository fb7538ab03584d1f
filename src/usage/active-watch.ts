import type { Logger } from "pino";
import type { ActiveStore } from "./active-store.js";
import { type ChangeQueue, createChangeQueue } from "./change-queue.js";
import { isFinished, type UsageRecord } from "./usage-record.js";
import type { UsageStore } from "./usage-store.js";

/** A part of what a watcher is told. */
export interface WatchedRecords {
  /** Whether a new picture begins: what was told before is to be forgotten. */
  readonly isSnapshot: boolean;
  readonly records: readonly UsageRecord[];
}

/** Tells many watchers which requests are active. */
export interface ActiveWatch {
  /**
   * What is active, then what changes, until the signal aborts; then it throws the signal's
   * reason. `userId` "": everybody's.
   */
  watch(userId: string, signal: AbortSignal): AsyncGenerator<WatchedRecords>;
}

/** What a watch is made of. */
export interface ActiveWatchParts {
  readonly activeStore: Pick<ActiveStore, "readActive" | "readActiveVersions">;
  readonly store: Pick<UsageStore, "read">;
  readonly logger: Logger;
  /** Between two looks at the database. Default 400: a change is told within a second. */
  readonly pollMs?: number;
  /** Most requests that one watcher is told of at once, and that wait for it. Default 10,000. */
  readonly limit?: number;
}

/** Records in one message. */
const CHUNK_SIZE = 500;
/** Most requests that are followed. */
const FOLLOW_LIMIT = 50_000;

/** One who watches. */
interface Watcher {
  readonly userId: string;
  readonly queue: ChangeQueue;
}

/**
 * One look at the versions of all active records, twice a second and only while somebody watches,
 * serves all watchers of a process, whoever made the changes. NOTIFY would tell sooner, but makes
 * the commits of all writers queue for a lock, watched or not. A request that begins and ends
 * between two looks is never told of.
 */
export function createActiveWatch(parts: ActiveWatchParts): ActiveWatch {
  const { activeStore, store, logger, pollMs = 400, limit = 10_000 } = parts;
  const watchers = new Set<Watcher>();
  /** Versions of the active records as they were last told. */
  const known = new Map<string, bigint>();
  let timer: NodeJS.Timeout | undefined;

  function publish(record: UsageRecord): void {
    if (isFinished(record.status)) known.delete(record.requestId);
    else known.set(record.requestId, record.version);
    for (const { userId, queue } of watchers) {
      if (userId === "" || userId === record.userId) queue.push(record);
    }
  }

  async function look(): Promise<void> {
    const now = await activeStore.readActiveVersions(FOLLOW_LIMIT);
    const changed = [...now].flatMap(([id, version]) => (known.get(id) === version ? [] : [id]));
    const gone = [...known.keys()].filter((id) => !now.has(id));
    for (const id of gone) known.delete(id);
    const ids = [...changed, ...gone];
    for (let at = 0; at < ids.length; at += CHUNK_SIZE) {
      for (const record of await store.read(ids.slice(at, at + CHUNK_SIZE))) publish(record);
    }
  }

  function schedule(): void {
    timer = setTimeout(async () => {
      try {
        await look();
      } catch (error) {
        logger.debug({ err: error }, "cannot look for changes; trying again");
      }
      timer = undefined;
      if (watchers.size > 0) schedule();
      else known.clear();
    }, pollMs);
  }

  async function readPicture({ userId, queue }: Watcher): Promise<readonly UsageRecord[]> {
    queue.clear();
    const records = await activeStore.readActive(userId, limit);
    queue.supersede(records);
    // What ends before the next look is missed then, and so told as ended.
    for (const { requestId, version } of records) {
      if (!known.has(requestId)) known.set(requestId, version);
    }
    return records;
  }

  async function* follow(watcher: Watcher, signal: AbortSignal): AsyncGenerator<WatchedRecords> {
    const { queue } = watcher;
    yield* inChunks(await readPicture(watcher));
    for (;;) {
      await queue.changed(signal);
      signal.throwIfAborted();
      if (queue.isOverrun) yield* inChunks(await readPicture(watcher));
      else yield { isSnapshot: false, records: queue.take(CHUNK_SIZE) };
    }
  }

  return {
    async *watch(userId, signal) {
      const watcher = { userId, queue: createChangeQueue(limit) };
      watchers.add(watcher);
      if (timer === undefined) schedule();
      try {
        yield* follow(watcher, signal);
      } finally {
        watchers.delete(watcher);
      }
    },
  };
}

/** The first chunk begins the picture, even an empty one. */
function* inChunks(records: readonly UsageRecord[]): Generator<WatchedRecords> {
  yield { isSnapshot: true, records: records.slice(0, CHUNK_SIZE) };
  for (let at = CHUNK_SIZE; at < records.length; at += CHUNK_SIZE) {
    yield { isSnapshot: false, records: records.slice(at, at + CHUNK_SIZE) };
  }
}
