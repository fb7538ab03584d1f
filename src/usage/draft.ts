import { invalidField } from "../errors.js";
import { CostOutOfRangeError } from "../pricing/cost-breakdown.js";
import type { UsagePreparer } from "./prepare.js";
import type { Entry } from "./record-request.js";
import { isFinished, type UsageRecord } from "./usage-record.js";
import type { HoldJson, UsageWrite } from "./usage-store.js";

/** An entry with the record that it would become. */
export interface Draft {
  readonly entry: Entry;
  readonly write: UsageWrite;
}

/**
 * What an entry would write, beside or in the place of the record that is there. It settles its
 * reservation when it finishes, but not twice.
 *
 * @throws DomainError for a cost that 64 bits cannot hold
 */
export function draftRecord(
  parts: { readonly preparer: UsagePreparer; readonly nowUs: () => number },
  entry: Entry,
  existing?: UsageRecord,
): UsageWrite {
  const record = prepare(parts, entry, existing);
  const isSettled = existing !== undefined && isFinished(existing.status);
  const settledUid = isSettled ? existing.reservationId : undefined;
  const isSettling = isFinished(record.status) && entry.reservation?.uid !== settledUid;
  return { record, holds: isSettling ? holdsOf(entry) : [], payload: entry.payload };
}

function prepare(
  { preparer, nowUs }: Parameters<typeof draftRecord>[0],
  entry: Entry,
  existing: UsageRecord | undefined,
): UsageRecord {
  try {
    return preparer.prepare({ ...entry, ...(existing && { existing }) }, nowUs());
  } catch (error) {
    if (!(error instanceof CostOutOfRangeError)) throw error;
    throw invalidField("usage", entry.submission.requestId, error.message);
  }
}

function holdsOf({ reservation }: Entry): HoldJson[] {
  if (!reservation) return [];
  const expireTime = new Date(reservation.expireTimeMs).toISOString();
  return reservation.holds.map((hold) => ({
    reservation_id: reservation.uid,
    expire_time: expireTime,
    lease_id: hold.leaseId.toString(),
    budget_id: hold.budgetId,
    period_start: new Date(hold.periodStartMs).toISOString(),
    held: hold.held.toString(),
  }));
}

/** When the requests of records arrived, microseconds since 1970. */
export function createTimesOf(drafts: readonly Pick<Draft, "write">[]): number[] {
  return drafts.map(({ write }) => write.record.createTimeUs);
}

/** The reservations that records were written with. */
export function reservationsOf(drafts: readonly Draft[]): string[] {
  return drafts.flatMap(({ write }) => write.holds.map((hold) => hold.reservation_id));
}
