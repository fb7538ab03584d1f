import {
  LEDGER_CHECKS,
  type LedgerCounts,
  type LedgerDrift,
  type LedgerSnapshot,
  type VerifyStore,
} from "./verify-store.js";

/** What a verification found. */
export interface LedgerReport extends LedgerCounts {
  /** How many figures differ from what the records add up to. 0: the books are right. */
  readonly driftCount: bigint;
  /** The first of them. */
  readonly drifts: readonly LedgerDrift[];
}

/** Options of one verification. */
export interface VerifyOptions {
  /** Most drifts to list; all are counted. */
  readonly maxDrifts: number;
  /** Throws when nobody waits for the answer any more; asked before each step. */
  readonly throwIfOver?: () => void;
}

/** Compares the books with the usage records. */
export interface LedgerVerifier {
  /**
   * Recomputes budgets, totals and rollups from the records, in one snapshot. Reads everything.
   * Verifications wait for each other, so that they never hold more than one connection.
   */
  verify(options: VerifyOptions): Promise<LedgerReport>;
}

/** Makes a verifier. */
export function createLedgerVerifier(store: VerifyStore): LedgerVerifier {
  let previous: Promise<unknown> = Promise.resolve();
  return {
    verify(options) {
      const report = previous.then(() => {
        options.throwIfOver?.();
        return store.inSnapshot((snapshot) => verifySnapshot(snapshot, options));
      });
      previous = report.catch(() => undefined);
      return report;
    },
  };
}

async function verifySnapshot(
  snapshot: LedgerSnapshot,
  { maxDrifts, throwIfOver }: VerifyOptions,
): Promise<LedgerReport> {
  const counts = await snapshot.count();
  const drifts: LedgerDrift[] = [];
  let driftCount = 0n;
  for (const check of LEDGER_CHECKS) {
    throwIfOver?.();
    const found = await snapshot.run(check, maxDrifts - drifts.length);
    driftCount += found.driftCount;
    drifts.push(...found.drifts);
  }
  return { ...counts, driftCount, drifts };
}
