import { DomainError } from "../errors.js";
import { createBatchCommitter } from "./batch-committer.js";
import type { CommitterParts } from "./committer-parts.js";
import { fingerprint } from "./fingerprint.js";
import { createLane, laneOf } from "./lane.js";
import {
  type AmendRequest,
  type Entry,
  type EntryEnd,
  isAmend,
  type RecordEntry,
  type RecordRequest,
  type RecordResult,
  requestIdOf,
} from "./record-request.js";
import { isFinished, type UsageRecord } from "./usage-record.js";

/** What a recorder is made of. */
export interface RecorderParts extends CommitterParts {
  /** Transactions under way at once. Default 2. */
  readonly lanes?: number;
  /** Most records in one transaction. Default 256. */
  readonly batchSize?: number;
  /** Most submissions that wait. Default 20,000. */
  readonly queueLimit?: number;
}

/** Writes usage records, many in one transaction, each acknowledged after its commit. */
export interface Recorder {
  /**
   * @throws DomainError OVERLOADED when the queue is full, SHUTTING_DOWN after `stop`, and what
   * `decideConflict` says; the database's error when the batch could not be committed
   */
  record(request: RecordRequest): Promise<RecordResult>;
  /**
   * Amends a record that is there, in one transaction with others.
   *
   * @throws DomainError USAGE_RECORD_NOT_FOUND, what `amend` throws, and as `record` does
   */
  amend(request: AmendRequest): Promise<RecordResult>;
  /**
   * For those that can wait to submit more. They leave half of the queue to those that cannot.
   *
   * @returns undefined when there is room for one more, else when to ask again
   */
  awaitRoom(): Promise<void> | undefined;
  /** Takes no more submissions and waits until those that it took are committed. */
  stop(): Promise<void>;
  /** Submissions that wait or are being written. */
  readonly depth: number;
}

const QUEUE_FULL_RETRY_MS = 200;

/**
 * Submissions with an id that is on its way wait for it, so that a batch never holds an id twice and
 * they are judged in the order they came; the others go to the lane of their user.
 */
export function createRecorder(parts: RecorderParts): Recorder {
  const { lanes: laneCount = 2, batchSize = 256, queueLimit = 20_000 } = parts;
  const committer = createBatchCommitter(parts);
  const lanes = Array.from({ length: laneCount }, (_, lane) =>
    createLane(batchSize, (batch) => commit(batch, lane)),
  );
  let waiting = 0;
  let isStopping = false;
  let onIdle: (() => void) | undefined;
  const patientLimit = Math.ceil(queueLimit / 2);
  /** What those that wait for room share. */
  let room: { readonly made: Promise<void>; readonly make: () => void } | undefined;
  /** Ids on their way, with the submissions that wait for each. */
  const inFlight = new Map<string, Entry[]>();

  /** The one way in, for what waits for its commit. */
  function enqueue(request: RecordRequest | AmendRequest): Promise<RecordResult> {
    if (isStopping) {
      return Promise.reject(new DomainError("SHUTTING_DOWN", "the server is stopping"));
    }
    if (waiting >= queueLimit) {
      const message = `the recorder's queue is full (${queueLimit} records); try again`;
      const details = { retryAfterMs: QUEUE_FULL_RETRY_MS };
      return Promise.reject(new DomainError("OVERLOADED", message, details));
    }
    waiting += 1;
    return new Promise((resolve, reject) => submit({ ...request, resolve, reject }));
  }

  function submit(entry: Entry): void {
    const requestId = requestIdOf(entry);
    const followers = inFlight.get(requestId);
    if (followers) {
      followers.push(entry);
      return;
    }
    inFlight.set(requestId, []);
    lanes[laneOf(entry, laneCount)]!.push(entry);
  }

  async function commit(batch: readonly Entry[], lane: number): Promise<void> {
    await committer.commit(batch.filter(isAwaited), lane, finish);
    if (waiting === 0) onIdle?.();
    if (waiting < patientLimit) {
      room?.make();
      room = undefined;
    }
  }

  /** Drops work that nobody waits for before it reaches the database. */
  function isAwaited(entry: Entry): boolean {
    try {
      entry.throwIfOver?.();
      return true;
    } catch (error) {
      finish(entry, { error });
      return false;
    }
  }

  function finish(entry: Entry, end: EntryEnd): void {
    waiting -= 1;
    if ("result" in end) entry.resolve(end.result);
    else entry.reject(end.error);
    const requestId = requestIdOf(entry);
    const followers = inFlight.get(requestId) ?? [];
    inFlight.delete(requestId);
    const rest = "result" in end ? answerReplays(followers, end.result.record) : followers;
    for (const follower of rest) submit(follower);
  }

  /**
   * Answers those that say what was just written.
   *
   * @returns the others: the first that says something new, which has to be written before those
   *   behind it can be judged, and those
   */
  function answerReplays(followers: readonly Entry[], record: UsageRecord): readonly Entry[] {
    const firstNew = followers.findIndex((follower) => !isReplay(follower, record));
    const replays = firstNew === -1 ? followers : followers.slice(0, firstNew);
    for (const { resolve } of replays) {
      waiting -= 1;
      resolve({ record, outcome: "REPLAYED", overages: [] });
    }
    return followers.slice(replays.length);
  }

  return {
    record: enqueue,
    amend: enqueue,
    awaitRoom() {
      // After the stop there is nothing to wait for: submitting tells.
      if (waiting < patientLimit || isStopping) return undefined;
      room ??= createRoom();
      return room.made;
    },
    async stop() {
      isStopping = true;
      if (waiting === 0) return;
      await new Promise<void>((resolve) => {
        onIdle = resolve;
      });
    },
    get depth() {
      return waiting;
    },
  };
}

function createRoom() {
  let make = () => {};
  const made = new Promise<void>((resolve) => {
    make = resolve;
  });
  return { made, make: () => make() };
}

function isReplay(entry: Entry, record: UsageRecord): entry is RecordEntry {
  if (isAmend(entry) || !isFinished(record.status) || record.isSwept) return false;
  return fingerprint(entry.submission) === record.fingerprint;
}
