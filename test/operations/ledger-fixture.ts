/** Books to verify: random records, posted by the functions that post real ones. */
import fc from "fast-check";
import type { Database } from "../../src/database/database.js";
import { monthOf } from "../../src/usage/time.js";
import type { UsageRecord } from "../../src/usage/usage-record.js";
import { createUsageStore, type HoldJson } from "../../src/usage/usage-store.js";
import { recordContents, TEST_BUDGETS, toRecord } from "./ledger-arbitraries.js";

/** Puts the budgets of the records into the catalog. */
export async function insertTestBudgets({ knex }: Database): Promise<void> {
  await knex("budgets").insert(
    TEST_BUDGETS.map(({ budgetId, scope, subject, measure, kind }) => ({
      budget_id: budgetId,
      scope,
      subject,
      measure,
      window_kind: kind,
      window_time_zone: "Asia/Kathmandu",
    })),
  );
}

/** Removes every trace of usage, but keeps budgets and partitions. */
export async function clearUsage({ knex }: Database): Promise<void> {
  await knex.raw(`truncate usage_keys, usage_records, usage_payloads, usage_rollups,
    budget_periods, budget_leases, reservation_outcomes, tally_purged.usage_rollups,
    purged_charges`);
}

/** Writes new records in a lane, each of which settles the holds. */
export async function recordAll(
  database: Database,
  records: readonly UsageRecord[],
  lane = 0,
  holds: readonly HoldJson[] = [],
): Promise<void> {
  const store = createUsageStore(database);
  await ensureMonths(database, records);
  const writes = records.map((record) => ({ record, holds, payload: undefined }));
  await store.record(writes, lane);
}

/** Puts records in the place of those with the same id and the version before. */
export async function replaceAll(
  database: Database,
  records: readonly UsageRecord[],
  lane = 0,
): Promise<void> {
  const store = createUsageStore(database);
  await ensureMonths(database, records);
  const replacements = records.map((record) => ({
    record,
    holds: [],
    payload: undefined,
    expectedVersion: record.version - 1n,
  }));
  await store.replace(replacements, lane);
}

async function ensureMonths(database: Database, records: readonly UsageRecord[]): Promise<void> {
  const store = createUsageStore(database);
  for (const month of new Set(records.map(({ createTimeUs }) => monthOf(createTimeUs)))) {
    await store.ensurePartition(month);
  }
}

/** The same records for the same seed, with the ids "r0", "r1", … */
export function sampleRecords(count: number, seed: number): UsageRecord[] {
  const contents = fc.sample(recordContents, { numRuns: count, seed });
  return contents.map((content, index) => toRecord(content, `r${index}`));
}

/** A lease of the amount on the period, as a replica has it. @returns its id */
export async function insertLease(
  { knex }: Database,
  lease: { budgetId: string; periodStart: string; replicaId: string; amount: number },
): Promise<string> {
  const key = { budget_id: lease.budgetId, period_start: lease.periodStart };
  await knex("budget_periods")
    .insert({ ...key, leased: lease.amount })
    .onConflict(["budget_id", "period_start"])
    .merge({ leased: knex.raw("budget_periods.leased + excluded.leased") });
  const [row] = await knex("budget_leases")
    .insert({
      ...key,
      replica_id: lease.replicaId,
      amount: lease.amount,
      expire_time: knex.raw("now() + interval '1 hour'"),
    })
    .returning("lease_id");
  return String(row.lease_id);
}

/** What a reservation holds in a lease. */
export function holdOf(
  hold: Pick<HoldJson, "reservation_id" | "lease_id" | "budget_id" | "period_start" | "held">,
): HoldJson {
  return { ...hold, expire_time: new Date(Date.now() + 600_000).toISOString() };
}
