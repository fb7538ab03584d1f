import type { PeriodKey } from "./lease.js";
import type { LedgerStore, PeriodFigures } from "./ledger-store.js";

/** Reads where periods stand, once for all callers that wait. */
export interface PeriodReader {
  /** In the order of the keys. @throws what the store throws, for every caller of the group. */
  read(keys: readonly PeriodKey[]): Promise<readonly PeriodFigures[]>;
}

interface Waiter {
  readonly keys: readonly PeriodKey[];
  readonly resolve: (figures: readonly PeriodFigures[]) => void;
  readonly reject: (error: unknown) => void;
}

/** One question is under way at a time; whoever comes meanwhile waits for the next. */
export function createPeriodReader(store: Pick<LedgerStore, "readPeriods">): PeriodReader {
  let waiters: Waiter[] = [];
  let isRunning = false;

  async function run(): Promise<void> {
    // Lets the other calls that arrived in the same turn of the event loop join.
    await new Promise(setImmediate);
    while (waiters.length > 0) {
      const group = waiters;
      waiters = [];
      await serve(group);
    }
    isRunning = false;
  }

  async function serve(group: readonly Waiter[]): Promise<void> {
    try {
      const figures = await store.readPeriods(group.flatMap(({ keys }) => keys));
      let at = 0;
      for (const { keys, resolve } of group) {
        resolve(figures.slice(at, at + keys.length));
        at += keys.length;
      }
    } catch (error) {
      for (const { reject } of group) reject(error);
    }
  }

  return {
    read(keys) {
      if (keys.length === 0) return Promise.resolve([]);
      return new Promise((resolve, reject) => {
        waiters.push({ keys, resolve, reject });
        if (isRunning) return;
        isRunning = true;
        void run();
      });
    },
  };
}
