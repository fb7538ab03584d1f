import type { PeriodFigures } from "./figures.js";
import { createGroupedCall } from "./grouped-calls.js";
import { type PeriodKey, periodKeyOf } from "./lease.js";
import type { LedgerStore } from "./ledger-store.js";
import { withTimeLimit } from "./time-limit.js";

/** Reads where periods stand, once for all callers that wait. */
export interface PeriodReader {
  /**
   * In the order of the keys.
   *
   * @throws DomainError DATABASE_UNAVAILABLE when no answer came in time, and what the store throws
   */
  read(keys: readonly PeriodKey[]): Promise<readonly PeriodFigures[]>;
  /** The same, but may be a second old: for what only warns. */
  readRecent(keys: readonly PeriodKey[]): Promise<readonly PeriodFigures[]>;
  /** Brings what is remembered of a period up to date. */
  learn(period: Omit<PeriodFigures, "limit">): void;
}

/** What a reader is made of. */
export interface PeriodReaderParts {
  readonly store: Pick<LedgerStore, "readPeriods">;
  /** The longest that a caller waits for the database, milliseconds. */
  readonly answerTimeoutMs: number;
  /** A clock that never goes back. */
  readonly nowMs: () => number;
}

interface Remembered {
  figures: PeriodFigures;
  readonly readMs: number;
}

const RECENT_MS = 1_000;
/** Periods that are remembered; beyond it all are forgotten, and read again when asked for. */
const MAX_REMEMBERED = 10_000;

/** Makes a reader. */
export function createPeriodReader(parts: PeriodReaderParts): PeriodReader {
  const { store, answerTimeoutMs, nowMs } = parts;
  const recent = new Map<string, Remembered>();

  const ask = createGroupedCall<readonly PeriodKey[], readonly PeriodFigures[]>(async (group) => {
    const figures = await store.readPeriods(group.flat());
    let at = 0;
    return group.map((keys) => {
      const own = figures.slice(at, at + keys.length);
      at += keys.length;
      return own;
    });
  });

  async function read(keys: readonly PeriodKey[]): Promise<readonly PeriodFigures[]> {
    return keys.length === 0 ? [] : await withTimeLimit(ask(keys), answerTimeoutMs);
  }

  function remember(figures: readonly PeriodFigures[]): void {
    if (recent.size > MAX_REMEMBERED) recent.clear();
    const readMs = nowMs();
    for (const period of figures) recent.set(periodKeyOf(period), { figures: period, readMs });
  }

  return {
    read,
    learn(period) {
      const known = recent.get(periodKeyOf(period));
      if (known) known.figures = { ...known.figures, spent: period.spent, leased: period.leased };
    },
    async readRecent(keys) {
      const oldestMs = nowMs() - RECENT_MS;
      const known = keys.map((key) => recent.get(periodKeyOf(key)));
      if (known.every((entry) => entry !== undefined && entry.readMs > oldestMs)) {
        return known.map((entry) => entry!.figures);
      }
      const figures = await read(keys);
      remember(figures);
      return figures;
    },
  };
}
