import { createGroupedCall } from "./grouped-calls.js";
import type { ReservationHold } from "./ledger-messages.js";
import type { SettledNotice } from "./ledger-requests.js";
import type { LedgerStore } from "./ledger-store.js";
import type { Reservation } from "./reservation.js";

/** Ends reservations without spend, once for all callers that wait. */
export interface Releaser {
  /**
   * False: it had been settled, released or had expired. Until the database has answered it holds
   * its amounts: somebody else may settle it.
   *
   * @throws what the store throws
   */
  release(reservation: Reservation): Promise<boolean>;
}

/** Makes a releaser. */
export function createReleaser(parts: {
  readonly store: Pick<LedgerStore, "release">;
  /** Told of those that have ended, and how their leases stand after it. */
  readonly onEnded: (notice: SettledNotice) => void;
}): Releaser {
  const { store, onEnded } = parts;
  const release = createGroupedCall<Reservation, boolean>(async (group) => {
    const { released, leases } = await store.release(group.flatMap(toHolds));
    onEnded({ uids: group.map(({ uid }) => uid), leases });
    const answered = new Set<string>();
    return group.map(({ uid }) => {
      const isFirst = !answered.has(uid);
      answered.add(uid);
      return isFirst && released.has(uid);
    });
  });
  return { release };
}

/** What the database needs to know of a reservation to end it. */
export function toHolds({ uid, expireTimeMs, holds }: Reservation): ReservationHold[] {
  return holds.map((hold) => ({ ...hold, uid, expireTimeMs }));
}
