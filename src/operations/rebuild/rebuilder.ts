import { DomainError } from "../../errors.js";
import type { Stretch } from "./due-rollups.js";
import type { Correction, RebuildSession, RebuildStore } from "./rebuild-store.js";

/** How far a rebuild has come. */
export interface RebuildProgress extends Correction {
  /** UTC days that are right. */
  readonly days: number;
  /** All days in which there is anything. */
  readonly totalDays: number;
  readonly isDone: boolean;
}

/** Brings rollups to what the records add up to. */
export interface RollupRebuilder {
  /**
   * Tells its progress after every day, and at last that it is done. Whoever stops listening ends
   * it; what was set right stays so, and another rebuild begins anew.
   *
   * @param signal - ends it after the step that is under way
   * @throws DomainError TASK_UNDER_WAY while another rebuild is under way; the signal's reason
   */
  rebuild(signal: AbortSignal): AsyncGenerator<RebuildProgress>;
}

/** Makes a rebuilder. */
export function createRollupRebuilder(store: RebuildStore): RollupRebuilder {
  return {
    async *rebuild(signal) {
      const session = await store.open();
      if (!session) {
        throw new DomainError("TASK_UNDER_WAY", "a rebuild is under way; there is one at a time");
      }
      try {
        yield* rebuildAll(session, signal);
      } finally {
        await session.close();
      }
    },
  };
}

async function* rebuildAll(
  session: RebuildSession,
  signal: AbortSignal,
): AsyncGenerator<RebuildProgress> {
  const days = await session.listDays();
  let done = { records: 0n, corrected: 0n };
  for (const [index, day] of days.entries()) {
    signal.throwIfAborted();
    done = sum(done, await session.correctDay(dayOf(day)));
    const isLastOfMonth = days[index + 1]?.slice(0, 7) !== day.slice(0, 7);
    if (isLastOfMonth) done = sum(done, await session.correctMonth(monthOf(day)));
    yield { ...done, days: index + 1, totalDays: days.length, isDone: false };
  }
  yield { ...done, days: days.length, totalDays: days.length, isDone: true };
}

function sum(a: Correction, b: Correction): Correction {
  return { records: a.records + b.records, corrected: a.corrected + b.corrected };
}

const DAY_MS = 86_400_000;

function dayOf(day: string): Stretch {
  const startMs = Date.parse(day);
  return stretch(startMs, startMs + DAY_MS);
}

function monthOf(day: string): Stretch {
  const date = new Date(day);
  const startMs = Date.UTC(date.getUTCFullYear(), date.getUTCMonth());
  return stretch(startMs, Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1));
}

function stretch(startMs: number, endMs: number): Stretch {
  return { start: new Date(startMs).toISOString(), end: new Date(endMs).toISOString() };
}
