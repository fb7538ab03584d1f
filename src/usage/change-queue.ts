import type { UsageRecord } from "./usage-record.js";

/** What a watcher has not been told yet: for each request the latest, and no more than so many. */
export interface ChangeQueue {
  /** Takes what is new; what is older than what waits already is dropped. */
  push(record: UsageRecord): void;
  /** Takes out at most so many, in the order in which their requests first changed. */
  take(count: number): UsageRecord[];
  /** Forgets what is not newer than these, which the watcher is told otherwise. */
  supersede(records: readonly UsageRecord[]): void;
  /** Forgets everything; the queue has room again. */
  clear(): void;
  /** Whether more changed than it has room for: what it holds is not everything any more. */
  readonly isOverrun: boolean;
  /** Resolves when there is something to take, or when it is overrun; rejects by the signal. */
  changed(signal: AbortSignal): Promise<void>;
}

/** Makes an empty queue. @param limit - most requests that it holds */
export function createChangeQueue(limit: number): ChangeQueue {
  const waiting = new Map<string, UsageRecord>();
  let isOverrun = false;
  let onChange: (() => void) | undefined;

  return {
    push(record) {
      const known = waiting.get(record.requestId);
      if (isOverrun || (known && known.version >= record.version)) return;
      if (!known && waiting.size >= limit) {
        // Nothing of it is of use without the rest.
        waiting.clear();
        isOverrun = true;
      } else {
        waiting.set(record.requestId, record);
      }
      onChange?.();
    },
    take(count) {
      const taken: UsageRecord[] = [];
      for (const [id, record] of waiting) {
        if (taken.length === count) break;
        taken.push(record);
        waiting.delete(id);
      }
      return taken;
    },
    supersede(records) {
      for (const { requestId, version } of records) {
        const known = waiting.get(requestId);
        if (known && known.version <= version) waiting.delete(requestId);
      }
    },
    clear() {
      waiting.clear();
      isOverrun = false;
    },
    get isOverrun() {
      return isOverrun;
    },
    changed(signal) {
      if (waiting.size > 0 || isOverrun) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const abort = () => {
          onChange = undefined;
          reject(signal.reason);
        };
        if (signal.aborted) return abort();
        signal.addEventListener("abort", abort, { once: true });
        onChange = () => {
          onChange = undefined;
          signal.removeEventListener("abort", abort);
          resolve();
        };
      });
    },
  };
}
