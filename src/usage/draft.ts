import { invalidField } from "../errors.js";
import { CostOutOfRangeError } from "../pricing/cost-breakdown.js";
import type { Reservation } from "../quota/reservation.js";
import type { PrepareInput, UsagePreparer } from "./prepare.js";
import type { Entry, RecordEntry } from "./record-request.js";
import { toReservationRow } from "./reservation-row.js";
import { isFinished, type UsageRecord } from "./usage-record.js";
import type { HoldJson, UsageWrite } from "./usage-store.js";

/** An entry with what it writes. */
export interface Draft {
  readonly entry: Entry;
  readonly write: UsageWrite;
}

/** A submission with the record that it would become. */
export interface RecordDraft extends Draft {
  readonly entry: RecordEntry;
}

/** What drafts are made with. */
export interface DraftParts {
  readonly preparer: UsagePreparer;
  readonly nowUs: () => number;
}

/**
 * What is written for a submission or an amendment, beside or in the place of the record that is
 * there. Whatever reservations are open for the request end when it is finished, but not twice.
 *
 * @throws DomainError for a cost that 64 bits cannot hold
 */
export function draftRecord(parts: DraftParts, input: PrepareInput): UsageWrite {
  const record = prepare(parts, input);
  const ending = isFinished(record.status) ? endingWith(input) : [];
  return { record, holds: ending.flatMap(holdsOf), payload: input.payload };
}

function prepare({ preparer, nowUs }: DraftParts, input: PrepareInput): UsageRecord {
  try {
    return preparer.prepare(input, nowUs());
  } catch (error) {
    if (!(error instanceof CostOutOfRangeError)) throw error;
    throw invalidField("usage", input.submission.requestId, error.message);
  }
}

/**
 * The reservation that was named, unless the record has ended it before, and the one it keeps. The
 * same one named later may have been extended meanwhile, so what was named counts.
 */
function endingWith({ reservation: named, existing }: PrepareInput): Reservation[] {
  const kept = existing?.openReservation;
  const isEnded = existing !== undefined && isFinished(existing.status);
  const isOpen = named && !(isEnded && named.uid === existing.reservationId);
  return [...(isOpen ? [named] : []), ...(kept && kept.uid !== named?.uid ? [kept] : [])];
}

function holdsOf(reservation: Reservation): HoldJson[] {
  const { expire_time, holds } = toReservationRow(reservation);
  return holds.map((hold) => ({ reservation_id: reservation.uid, expire_time, ...hold }));
}

/** When the requests of records arrived, microseconds since 1970. */
export function createTimesOf(drafts: readonly Pick<Draft, "write">[]): number[] {
  return drafts.map(({ write }) => write.record.createTimeUs);
}

/** The reservations that records were written with. */
export function reservationsOf(drafts: readonly Draft[]): string[] {
  return drafts.flatMap(({ write }) => write.holds.map((hold) => hold.reservation_id));
}
