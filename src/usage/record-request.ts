import type { Reservation } from "../quota/reservation.js";
import type { ConflictPolicy, RecordOutcome } from "./conflict.js";
import type { UsagePayload, UsageRecord, UsageSubmission } from "./usage-record.js";

/** One submission to record. */
export interface RecordRequest {
  readonly submission: UsageSubmission;
  /** Headers and bodies as they are to be stored. */
  readonly payload: UsagePayload | undefined;
  readonly reservation: Reservation | undefined;
  readonly conflictPolicy: ConflictPolicy;
  /** Called before the work begins; throws when nobody waits for the answer any more. */
  readonly throwIfOver?: () => void;
}

/** What becomes of a record that is there. */
export interface Amendment {
  /** What is told of the request from now on. */
  readonly submission: UsageSubmission;
  /** Whether it is failed because nothing was heard of it. */
  readonly isSwept: boolean;
  /** The reservation that ends with it from now on. Undefined: the one that it has. */
  readonly reservation?: Reservation | undefined;
}

/** One record to amend by what it is when its turn comes. */
export interface AmendRequest {
  readonly requestId: string;
  /**
   * Decides on the record as it is, once more when it moved meanwhile; so it must only decide.
   *
   * @returns undefined to leave it as it is
   * @throws DomainError when that is not allowed
   */
  readonly amend: (existing: UsageRecord) => Amendment | undefined;
  /** As {@link RecordRequest.throwIfOver}. */
  readonly throwIfOver?: () => void;
}

/** A budget that a record charged and that is above its limit now. */
export interface Overage {
  readonly budgetId: string;
  /** In the budget's measure, more than 0. */
  readonly amount: bigint;
}

/** What became of a submission; it is on disk. An amendment COMPLETED, or REPLAYED what was there. */
export interface RecordResult {
  readonly record: UsageRecord;
  readonly outcome: RecordOutcome;
  readonly overages: readonly Overage[];
}

/** The one who waits for an entry. */
interface Waiter {
  readonly resolve: (result: RecordResult) => void;
  readonly reject: (error: unknown) => void;
}

/** A submission on its way. */
export interface RecordEntry extends RecordRequest, Waiter {}

/** An amendment on its way. */
export interface AmendEntry extends AmendRequest, Waiter {}

/** What a recorder writes, with the one who waits for it. */
export type Entry = RecordEntry | AmendEntry;

/** Whether an entry amends a record that is there. */
export function isAmend(entry: Entry): entry is AmendEntry {
  return "amend" in entry;
}

/** The record that an entry is about. */
export function requestIdOf(entry: Entry): string {
  return isAmend(entry) ? entry.requestId : entry.submission.requestId;
}

/** How an entry ended. */
export type EntryEnd = { readonly result: RecordResult } | { readonly error: unknown };
