import type { Logger } from "pino";
import type { PartitionKeeper } from "./partitions.js";
import type { UsagePreparer } from "./prepare.js";
import type { Entry, EntryEnd } from "./record-request.js";
import type { PostAnswer, UsageStore } from "./usage-store.js";

/** Hears the end of each entry, after the commit that decided it. */
export type Finish = (entry: Entry, end: EntryEnd) => void;

/** What a committer is made of. */
export interface CommitterParts {
  readonly store: UsageStore;
  readonly partitions: PartitionKeeper;
  readonly preparer: UsagePreparer;
  /** Told what each commit left of budgets and leases, and which reservations ended with it. */
  readonly onPosted: (answer: PostAnswer, endedReservations: readonly string[]) => void;
  /** A budget's limit now; undefined: unlimited, or unknown. */
  readonly limitOf: (budgetId: string) => bigint | undefined;
  readonly logger: Logger;
  /** Microseconds since 1970. */
  readonly nowUs: () => number;
}
