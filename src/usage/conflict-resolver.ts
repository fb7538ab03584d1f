import { isUnavailable } from "../database/errors.js";
import { type RetryOptions, withRetry } from "../database/retry.js";
import { DomainError } from "../errors.js";
import type { CommitterParts, Finish } from "./committer-parts.js";
import { assertReplayOfPurged, decideConflict, type RecordOutcome } from "./conflict.js";
import { createTimesOf, type Draft, draftRecord, reservationsOf } from "./draft.js";
import { NO_OVERAGES, overagesOf, resultOf } from "./overage.js";
import type { UsageRecord } from "./usage-record.js";
import type { UsageReplacement } from "./usage-store.js";

/** Decides what becomes of entries whose id is taken, and writes it. */
export interface ConflictResolver {
  /** Never throws: every entry hears its own end. */
  resolve(drafts: readonly Draft[], lane: number, finish: Finish): Promise<void>;
}

/** An entry that replaces the record that is there. */
interface Replacement extends Draft {
  readonly write: UsageReplacement;
  readonly outcome: Exclude<RecordOutcome, "CREATED" | "REPLAYED">;
}

/** What there is of the ids that are taken. */
interface Known {
  readonly records: ReadonlyMap<string, UsageRecord>;
  /** Fingerprints of records that retention has removed. */
  readonly purged: ReadonlyMap<string, string | null>;
}

const NONE_PURGED: Known["purged"] = new Map();

/** A record moved between our reading and our writing: to be decided anew. */
class RecordMovedError extends DomainError {
  constructor() {
    super("OVERLOADED", "the record keeps being changed elsewhere; try again");
  }
}

/**
 * The waits, by chance and ever longer, give way to another replica that writes the same record
 * again and again: without them, one that lost keeps losing.
 */
const DECISIONS: RetryOptions = {
  maxAttempts: 30,
  baseMs: 1,
  maxMs: 100,
  retryOn: (error) => error instanceof RecordMovedError,
};

/** Makes a resolver. */
export function createConflictResolver(parts: CommitterParts): ConflictResolver {
  const { store, partitions } = parts;

  async function resolve(drafts: readonly Draft[], lane: number, finish: Finish): Promise<void> {
    let open = drafts;
    try {
      await withRetry(async () => {
        // What has heard its end must not hear another one, should the replacing fail.
        const replacements = decideAll(open, await readAll(open), finish);
        open = replacements;
        open = await replace(replacements, lane, finish);
        if (open.length > 0) throw new RecordMovedError();
      }, DECISIONS);
    } catch (error) {
      await failOrSplit(open, lane, finish, error);
    }
  }

  /** One bad record must not fail the others. */
  async function failOrSplit(
    drafts: readonly Draft[],
    lane: number,
    finish: Finish,
    error: unknown,
  ): Promise<void> {
    const isSplitting = drafts.length > 1 && !(error instanceof RecordMovedError);
    if (!isSplitting || isUnavailable(error)) {
      for (const { entry } of drafts) finish(entry, { error });
      return;
    }
    for (const draft of drafts) await resolve([draft], lane, finish);
  }

  async function readAll(drafts: readonly Draft[]): Promise<Known> {
    const ids = drafts.map(({ write }) => write.record.requestId);
    const records = new Map(
      (await store.read(ids)).map((record) => [record.requestId, record] as const),
    );
    const missing = ids.filter((id) => !records.has(id));
    const purged = missing.length === 0 ? NONE_PURGED : await store.readPurged(missing);
    return { records, purged };
  }

  function decideAll(drafts: readonly Draft[], known: Known, finish: Finish): Replacement[] {
    const replacements: Replacement[] = [];
    for (const draft of drafts) {
      try {
        const replacement = decide(draft, known, finish);
        if (replacement) replacements.push(replacement);
      } catch (error) {
        finish(draft.entry, { error });
      }
    }
    return replacements;
  }

  function decide(
    { entry, write }: Draft,
    { records, purged }: Known,
    finish: Finish,
  ): Replacement | undefined {
    const { status, fingerprint, requestId } = write.record;
    const existing = records.get(requestId);
    if (!existing) {
      assertReplayOfPurged(requestId, fingerprint, purged);
      finish(entry, { result: resultOf(write.record, "REPLAYED", NO_OVERAGES) });
      return undefined;
    }
    const { conflictPolicy } = entry;
    const outcome = decideConflict(existing, { requestId, status, fingerprint, conflictPolicy });
    if (outcome === "REPLAYED") {
      finish(entry, { result: resultOf(existing, outcome, NO_OVERAGES) });
      return undefined;
    }
    const replacement = draftRecord(parts, entry, existing);
    return { entry, write: { ...replacement, expectedVersion: existing.version }, outcome };
  }

  /** @returns those whose record moved meanwhile. */
  async function replace(
    replacements: readonly Replacement[],
    lane: number,
    finish: Finish,
  ): Promise<readonly Draft[]> {
    if (replacements.length === 0) return [];
    const answer = await partitions.during(createTimesOf(replacements), () =>
      store.replace(
        replacements.map(({ write }) => write),
        lane,
      ),
    );
    const moved = new Set(answer.existing);
    const written = replacements.filter(({ write }) => !moved.has(write.record.requestId));
    parts.onPosted(answer, reservationsOf(written));
    const overages = overagesOf(answer, parts.limitOf);
    for (const { entry, write, outcome } of written) {
      finish(entry, { result: resultOf(write.record, outcome, overages) });
    }
    return replacements.filter(({ write }) => moved.has(write.record.requestId));
  }

  return { resolve };
}
