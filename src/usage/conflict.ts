import { DomainError } from "../errors.js";
import { isFinished, type UsageRecord, type UsageStatus } from "./usage-record.js";

/**
 * What to do when a record has the same id and other content. START begins a request: even an
 * unfinished record with other content is left as it is.
 */
export type ConflictPolicy = "REVISE" | "REJECT" | "START";

/** What became of a submission. */
export type RecordOutcome = "CREATED" | "COMPLETED" | "REVISED" | "REPLAYED";

/** A submission as far as a conflict is decided by it. */
export interface ConflictingSubmission {
  readonly requestId: string;
  readonly status: UsageStatus;
  readonly fingerprint: string;
  readonly conflictPolicy: ConflictPolicy;
}

/**
 * Decides what a submission does to the record that is there under its id.
 *
 * A request that the sweeper had failed may still be completed: nobody knew how it ended.
 *
 * @throws DomainError USAGE_RECORD_CONFLICT when it has other content and was told to reject;
 * USAGE_STATUS_CONFLICT when it would bring a record back to an earlier status
 */
export function decideConflict(
  existing: UsageRecord,
  submission: ConflictingSubmission,
): Exclude<RecordOutcome, "CREATED"> {
  const isSame = existing.fingerprint === submission.fingerprint;
  if (isFinished(existing.status)) {
    if (!isFinished(submission.status)) throw statusConflict(existing, submission.status);
    if (existing.isSwept) return "COMPLETED";
    if (isSame) return "REPLAYED";
    if (submission.conflictPolicy === "REJECT") throw contentConflict(submission.requestId);
    return "REVISED";
  }
  if (isSame) return "REPLAYED";
  if (submission.conflictPolicy === "START") throw contentConflict(submission.requestId);
  if (existing.status === "STREAMING" && submission.status === "PENDING") {
    throw statusConflict(existing, submission.status);
  }
  return "COMPLETED";
}

/**
 * A record that retention has removed was counted when it was reported: the same report again
 * changes nothing.
 *
 * @param purged - what was last reported, by request id; null: unknown, and taken for the same
 * @throws DomainError USAGE_RECORD_PURGED when it says something else; OVERLOADED when the id was
 * forgotten just now, and can be recorded anew
 */
export function assertReplayOfPurged(
  requestId: string,
  fingerprint: string,
  purged: ReadonlyMap<string, string | null>,
): void {
  const told = purged.get(requestId);
  if (told === fingerprint || told === null) return;
  if (told === undefined) {
    throw new DomainError("OVERLOADED", "the record is being removed; try again");
  }
  throw new DomainError(
    "USAGE_RECORD_PURGED",
    "usage.request_id: the record was counted and has been removed by retention; it can no " +
      `longer be changed (was "${requestId}")`,
    { resource: { type: "usage_record", name: requestId } },
  );
}

/** No record has the id. */
export function recordNotFound(requestId: string): DomainError {
  return new DomainError(
    "USAGE_RECORD_NOT_FOUND",
    `request_id: no usage record has this id (was "${requestId}")`,
    { resource: { type: "usage_record", name: requestId } },
  );
}

function contentConflict(requestId: string): DomainError {
  return new DomainError(
    "USAGE_RECORD_CONFLICT",
    `usage.request_id: a record with other content exists (was "${requestId}")`,
    { resource: { type: "usage_record", name: requestId } },
  );
}

/** A record would come to a status that it cannot come to from where it is. */
export function statusConflict(
  existing: UsageRecord,
  status: UsageStatus,
  field = "usage.status",
): DomainError {
  return new DomainError(
    "USAGE_STATUS_CONFLICT",
    `${field}: a record that is ${existing.status} cannot become ${status}`,
    { resource: { type: "usage_record", name: existing.requestId } },
  );
}
