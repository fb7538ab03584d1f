import type { LeaseAnswer } from "../../src/quota/lease.js";
import type { LedgerStore } from "../../src/quota/ledger-store.js";
import type { Reservation } from "../../src/quota/reservation.js";

/** Where a period stands in the database. */
export interface PeriodRow {
  readonly spent: bigint;
  readonly leased: bigint;
  /** Amounts of its leases. */
  readonly leases: readonly bigint[];
}

/** The one budget that the model spends; its periods are told apart by their start. */
export const BUDGET_ID = "model";

/** What replicas of the model have in common: a database with a clock that the test moves. */
export interface LedgerDatabase {
  /** The ledger's view of it, for one replica. */
  storeOf(replicaId: string): LedgerStore;
  /** Posts spend and ends the reservation, as recording does; the leases after it. */
  settle(reservation: Reservation, spends: readonly bigint[]): Promise<LeaseAnswer[]>;
  setLimit(limit: bigint): Promise<void>;
  nowMs(): number;
  advance(ms: number): Promise<void>;
  period(periodStartMs: number): Promise<PeriodRow>;
}
