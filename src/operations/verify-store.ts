import type { Knex } from "knex";
import type { Database } from "../database/database.js";
import { budgetLeased, budgetSpent } from "./checks/budget-checks.js";
import type { LedgerCheck, LedgerCheckName } from "./checks/ledger-check.js";
import { recordCharges, recordKeys } from "./checks/record-checks.js";
import { rollups } from "./checks/rollup-check.js";
import { subjectTotals } from "./checks/subject-totals-check.js";

/** Every check of the books, the ones that the others build on first. */
export const LEDGER_CHECKS: readonly LedgerCheck[] = [
  recordKeys,
  recordCharges,
  budgetSpent,
  budgetLeased,
  subjectTotals,
  rollups,
];

/** A figure that is not what the records add up to. */
export interface LedgerDrift {
  readonly check: LedgerCheckName;
  /** Which row: ids and times, for people. */
  readonly subject: string;
  readonly figure: string;
  /** A number in decimal, a time, or "none". */
  readonly stored: string;
  readonly recomputed: string;
}

/** How much there was to compare. */
export interface LedgerCounts {
  /** Finished and unfinished ones. */
  readonly records: bigint;
  readonly budgetPeriods: bigint;
  /** Rows, each slot by itself. */
  readonly rollups: bigint;
  /** Users, API keys, providers and models that were ever used. */
  readonly subjectTotals: bigint;
  /** Finished records that are gone, whose sums are kept. */
  readonly purgedRecords: bigint;
  /** List cost of all finished records, purged ones included. A sum of bigint may pass 64 bits. */
  readonly totalCostNanoUsd: bigint;
  /** The moment of the snapshot, milliseconds since 1970. */
  readonly snapshotTimeMs: number;
}

/** The database as it was at one moment. */
export interface LedgerSnapshot {
  count(): Promise<LedgerCounts>;
  /** All drifts are counted, the first `limit` are returned, ordered by subject and figure. */
  run(
    check: LedgerCheck,
    limit: number,
  ): Promise<{ driftCount: bigint; drifts: readonly LedgerDrift[] }>;
}

/** Reads the books and the records. */
export interface VerifyStore {
  /** Gives `work` a snapshot that is one and the same in all of its questions. */
  inSnapshot<T>(work: (snapshot: LedgerSnapshot) => Promise<T>): Promise<T>;
}

/** Makes the store. It writes nothing and takes no locks that a writer would wait for. */
export function createVerifyStore(database: Pick<Database, "transaction">): VerifyStore {
  return {
    inSnapshot: (work) =>
      database.transaction(
        async (trx) => {
          await trx.raw(SESSION_SETTINGS);
          return work({
            count: () => countRows(trx),
            run: (check, limit) => runCheck(trx, check, limit),
          });
        },
        { isolationLevel: "repeatable read", readOnly: true },
      ),
  };
}

/**
 * The limit on statements is made for calls that somebody waits for. Sums of millions of rows
 * want memory, and times are shown in UTC. Compiling the queries would cost what it gains.
 */
const SESSION_SETTINGS = `
  set local statement_timeout = 0;
  set local work_mem = '64MB';
  set local timezone = 'UTC';
  set local datestyle = 'ISO';
  set local jit = off`;

/** Unfinished records cost nothing. Of purged ones, the months over all users are read. */
const COUNTS = `
  select now() as snapshot_time, r.records, p.records as purged_records,
    r.total_cost + p.total_cost as total_cost,
    (select count(*) from budget_periods) as budget_periods,
    (select count(*) from usage_rollups) as rollups,
    (select count(*) from subject_totals) as subject_totals
  from (
    select count(*) as records,
      coalesce(sum(cost_input) + sum(cost_output) + sum(cost_cache_creation)
        + sum(cost_cache_read) + sum(cost_request), 0) as total_cost
    from usage_records
  ) r, (
    select coalesce(sum(attempts), 0)::bigint as records,
      coalesce(sum(cost_input) + sum(cost_output) + sum(cost_cache_creation)
        + sum(cost_cache_read) + sum(cost_request), 0) as total_cost
    from tally_purged.usage_rollups
    where grain = 7
  ) p`;

async function countRows(trx: Knex.Transaction): Promise<LedgerCounts> {
  const { rows } = await trx.raw(COUNTS);
  return {
    records: rows[0].records,
    budgetPeriods: rows[0].budget_periods,
    rollups: rows[0].rollups,
    subjectTotals: rows[0].subject_totals,
    purgedRecords: rows[0].purged_records,
    totalCostNanoUsd: BigInt(rows[0].total_cost),
    snapshotTimeMs: rows[0].snapshot_time.getTime(),
  };
}

async function runCheck(trx: Knex.Transaction, { name, sql }: LedgerCheck, limit: number) {
  const { rows } = await trx.raw(
    `with drifts as materialized (${sql})
    select (select count(*) from drifts) as drift_count,
      (select coalesce(json_agg(d), '[]') from (
        select * from drifts order by subject, figure limit ?) d) as drifts`,
    [limit],
  );
  const drifts = rows[0].drifts as Omit<LedgerDrift, "check">[];
  return {
    driftCount: rows[0].drift_count as bigint,
    drifts: drifts.map((drift) => ({ check: name, ...drift })),
  };
}
