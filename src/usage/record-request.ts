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

/** A budget that a record charged and that is above its limit now. */
export interface Overage {
  readonly budgetId: string;
  /** In the budget's measure, more than 0. */
  readonly amount: bigint;
}

/** What became of a submission; it is on disk. */
export interface RecordResult {
  readonly record: UsageRecord;
  readonly outcome: RecordOutcome;
  readonly overages: readonly Overage[];
}

/** A submission on its way, with the one who waits for it. */
export interface Entry extends RecordRequest {
  readonly resolve: (result: RecordResult) => void;
  readonly reject: (error: unknown) => void;
}

/** How an entry ended. */
export type EntryEnd = { readonly result: RecordResult } | { readonly error: unknown };
