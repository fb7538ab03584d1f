import { isUnavailable } from "../database/errors.js";
import { type RetryOptions, withRetry } from "../database/retry.js";
import { DomainError } from "../errors.js";
import type { CommitterParts, Finish } from "./committer-parts.js";
import {
  assertReplayOfPurged,
  decideConflict,
  type RecordOutcome,
  recordNotFound,
} from "./conflict.js";
import {
  createTimesOf,
  type Draft,
  draftRecord,
  type RecordDraft,
  reservationsOf,
} from "./draft.js";
import { NO_OVERAGES, overagesOf, resultOf } from "./overage.js";
import { type AmendEntry, requestIdOf } from "./record-request.js";
import type { UsageRecord } from "./usage-record.js";
import type { UsageReplacement } from "./usage-store.js";

/** An entry that is decided by the record that is there: whose id is taken, or that amends it. */
export type Candidate = RecordDraft | { readonly entry: AmendEntry };

/** Decides what becomes of such entries, and writes it. */
export interface ConflictResolver {
  /** Never throws: every entry hears its own end. */
  resolve(candidates: readonly Candidate[], lane: number, finish: Finish): Promise<void>;
}

/** An entry that replaces the record that is there. */
interface Replacement extends Draft {
  readonly candidate: Candidate;
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

  async function resolve(
    candidates: readonly Candidate[],
    lane: number,
    finish: Finish,
  ): Promise<void> {
    let open = candidates;
    try {
      await withRetry(async () => {
        // What has heard its end must not hear another one, should the replacing fail.
        const replacements = decideAll(open, await readAll(open), finish);
        open = replacements.map(({ candidate }) => candidate);
        open = await replace(replacements, lane, finish);
        if (open.length > 0) throw new RecordMovedError();
      }, DECISIONS);
    } catch (error) {
      await failOrSplit(open, lane, finish, error);
    }
  }

  /** One bad record must not fail the others. */
  async function failOrSplit(
    candidates: readonly Candidate[],
    lane: number,
    finish: Finish,
    error: unknown,
  ): Promise<void> {
    const isSplitting = candidates.length > 1 && !(error instanceof RecordMovedError);
    if (!isSplitting || isUnavailable(error)) {
      for (const { entry } of candidates) finish(entry, { error });
      return;
    }
    for (const candidate of candidates) await resolve([candidate], lane, finish);
  }

  async function readAll(candidates: readonly Candidate[]): Promise<Known> {
    const ids = candidates.map(({ entry }) => requestIdOf(entry));
    const records = new Map(
      (await store.read(ids)).map((record) => [record.requestId, record] as const),
    );
    const missing = ids.filter((id) => !records.has(id));
    const purged = missing.length === 0 ? NONE_PURGED : await store.readPurged(missing);
    return { records, purged };
  }

  function decideAll(
    candidates: readonly Candidate[],
    known: Known,
    finish: Finish,
  ): Replacement[] {
    const replacements: Replacement[] = [];
    for (const candidate of candidates) {
      try {
        const replacement =
          "write" in candidate
            ? decideRecord(candidate, known, finish)
            : decideAmendment(candidate.entry, known, finish);
        if (replacement) replacements.push({ ...replacement, candidate });
      } catch (error) {
        finish(candidate.entry, { error });
      }
    }
    return replacements;
  }

  function decideAmendment(
    entry: AmendEntry,
    { records }: Known,
    finish: Finish,
  ): Omit<Replacement, "candidate"> | undefined {
    const existing = records.get(entry.requestId);
    if (!existing) throw recordNotFound(entry.requestId);
    const amendment = entry.amend(existing);
    if (!amendment) {
      finish(entry, { result: resultOf(existing, "REPLAYED", NO_OVERAGES) });
      return undefined;
    }
    const write = draftRecord(parts, {
      ...amendment,
      reservation: amendment.reservation,
      payload: undefined,
      existing,
      isAmendment: true,
    });
    return {
      entry,
      write: { ...write, expectedVersion: existing.version },
      outcome: "COMPLETED",
    };
  }

  function decideRecord(
    { entry, write }: RecordDraft,
    { records, purged }: Known,
    finish: Finish,
  ): Omit<Replacement, "candidate"> | undefined {
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
    const replacement = draftRecord(parts, { ...entry, existing });
    return { entry, write: { ...replacement, expectedVersion: existing.version }, outcome };
  }

  /** @returns those whose record moved meanwhile. */
  async function replace(
    replacements: readonly Replacement[],
    lane: number,
    finish: Finish,
  ): Promise<readonly Candidate[]> {
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
    return replacements
      .filter(({ write }) => moved.has(write.record.requestId))
      .map(({ candidate }) => candidate);
  }

  return { resolve };
}
