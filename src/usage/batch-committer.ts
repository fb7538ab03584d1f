import { isUnavailable } from "../database/errors.js";
import type { CommitterParts, Finish } from "./committer-parts.js";
import { createConflictResolver } from "./conflict-resolver.js";
import { createTimesOf, draftRecord, type RecordDraft, reservationsOf } from "./draft.js";
import { overagesOf, resultOf } from "./overage.js";
import { type AmendEntry, type Entry, isAmend } from "./record-request.js";

/** Writes one batch of entries. */
export interface BatchCommitter {
  /** Commits entries with different ids. Never throws: every entry hears its own end. */
  commit(entries: readonly Entry[], lane: number, finish: Finish): Promise<void>;
}

/** Makes a committer. */
export function createBatchCommitter(parts: CommitterParts): BatchCommitter {
  const { store, partitions, logger } = parts;
  const resolver = createConflictResolver(parts);

  async function commit(entries: readonly Entry[], lane: number, finish: Finish): Promise<void> {
    const amendments = entries.filter(isAmend);
    const drafts = draftAll(parts, entries, finish);
    const conflicting = drafts.length > 0 ? await createOrBisect(drafts, lane, finish) : [];
    const candidates = [...conflicting, ...amendments.map(toCandidate)];
    if (candidates.length > 0) await resolver.resolve(candidates, lane, finish);
  }

  /** @returns those whose id is taken. */
  async function createOrBisect(
    drafts: readonly RecordDraft[],
    lane: number,
    finish: Finish,
  ): Promise<readonly RecordDraft[]> {
    try {
      return await create(drafts, lane, finish);
    } catch (error) {
      await bisect(drafts, lane, finish, error);
      return [];
    }
  }

  async function create(
    drafts: readonly RecordDraft[],
    lane: number,
    finish: Finish,
  ): Promise<readonly RecordDraft[]> {
    const answer = await partitions.during(createTimesOf(drafts), () =>
      store.record(
        drafts.map(({ write }) => write),
        lane,
      ),
    );
    const existing = new Set(answer.existing);
    const created = drafts.filter(({ write }) => !existing.has(write.record.requestId));
    parts.onPosted(answer, reservationsOf(created));
    const overages = overagesOf(answer, parts.limitOf);
    for (const { entry, write } of created) {
      finish(entry, { result: resultOf(write.record, "CREATED", overages) });
    }
    return drafts.filter(({ write }) => existing.has(write.record.requestId));
  }

  /** One bad row must not fail the others: halves are tried until it stands alone. */
  async function bisect(
    drafts: readonly RecordDraft[],
    lane: number,
    finish: Finish,
    error: unknown,
  ): Promise<void> {
    if (drafts.length === 1 || isUnavailable(error)) {
      for (const { entry } of drafts) finish(entry, { error });
      return;
    }
    logger.warn({ err: error, records: drafts.length }, "batch failed; looking for the bad record");
    const entries = drafts.map(({ entry }) => entry);
    const middle = Math.ceil(entries.length / 2);
    await commit(entries.slice(0, middle), lane, finish);
    await commit(entries.slice(middle), lane, finish);
  }

  return { commit };
}

function toCandidate(entry: AmendEntry) {
  return { entry };
}

function draftAll(parts: CommitterParts, entries: readonly Entry[], finish: Finish): RecordDraft[] {
  const drafts: RecordDraft[] = [];
  for (const entry of entries) {
    if (isAmend(entry)) continue;
    try {
      drafts.push({ entry, write: draftRecord(parts, entry) });
    } catch (error) {
      finish(entry, { error });
    }
  }
  return drafts;
}
