import type { Hold, Reservation } from "../quota/reservation.js";

/** What a reservation holds of one lease, in JSON; bigint as decimal text. */
export interface HoldRow {
  readonly lease_id: string;
  readonly budget_id: string;
  readonly period_start: string;
  readonly held: string;
}

/** A reservation as the record's row keeps it, beside its id. */
export interface ReservationRow {
  readonly expire_time: string;
  readonly holds: readonly HoldRow[];
}

/** A reservation in JSON. */
export function toReservationRow({ expireTimeMs, holds }: Reservation): ReservationRow {
  return { expire_time: new Date(expireTimeMs).toISOString(), holds: holds.map(toHoldRow) };
}

/** Reads a reservation; undefined where the row keeps none. */
export function fromReservationRow(
  uid: string | null,
  row: ReservationRow | null,
): Reservation | undefined {
  if (uid === null || row === null) return undefined;
  return { uid, expireTimeMs: Date.parse(row.expire_time), holds: row.holds.map(fromHoldRow) };
}

function toHoldRow(hold: Hold): HoldRow {
  return {
    lease_id: hold.leaseId.toString(),
    budget_id: hold.budgetId,
    period_start: new Date(hold.periodStartMs).toISOString(),
    held: hold.held.toString(),
  };
}

function fromHoldRow(row: HoldRow): Hold {
  return {
    leaseId: BigInt(row.lease_id),
    budgetId: row.budget_id,
    periodStartMs: Date.parse(row.period_start),
    held: BigInt(row.held),
  };
}
