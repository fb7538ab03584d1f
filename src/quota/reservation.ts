/** What a reservation holds of one lease. */
export interface Hold {
  /** The lease that it was made in. */
  readonly leaseId: bigint;
  readonly budgetId: string;
  /** Start of the budget's period, milliseconds since 1970. */
  readonly periodStartMs: number;
  /** In the budget's measure, 0 or more. */
  readonly held: bigint;
}

/** A promise that a caller may spend so much, until it is settled, released, or expires. */
export interface Reservation {
  /** UUID. */
  readonly uid: string;
  /** When it frees its amounts by itself, milliseconds since 1970 by the database's clock. */
  readonly expireTimeMs: number;
  /** One a budget. */
  readonly holds: readonly Hold[];
}

/** Adds up what both hold of the same lease. */
export function addHolds(former: readonly Hold[], more: readonly Hold[]): Hold[] {
  const holds = former.map((hold) => {
    const extra = more.find(({ leaseId }) => leaseId === hold.leaseId);
    return extra ? { ...hold, held: hold.held + extra.held } : hold;
  });
  const isNew = ({ leaseId }: Hold) => !former.some((hold) => hold.leaseId === leaseId);
  return [...holds, ...more.filter(isNew)];
}
