/** Purges as a test asks for them, and what must be the same before and after. */
import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type PurgeUsageResponse,
  PurgeUsageResponseSchema,
} from "../../../gen/tally/v1/operations_pb.js";
import type { Database } from "../../../src/database/database.js";
import type { TestApp } from "../../support/app.js";
import { type UsageInit, usage } from "../usage-fixture.js";

const DAY_MS = 86_400_000;

/** A moment that many days ago, as the contract writes it. */
export function daysAgo(days: number) {
  return timestampFromMs(Date.now() - days * DAY_MS);
}

/** Calls PurgeUsage. @returns its last message */
export async function purge(
  { clients }: TestApp,
  request: { readonly daysToKeep?: number; readonly batchSize?: number } = {},
): Promise<PurgeUsageResponse> {
  let last = create(PurgeUsageResponseSchema);
  for await (last of clients.operations.purgeUsage(request));
  return last;
}

/** Records one request for each age in days. @returns what was told */
export async function recordAges(
  { clients }: TestApp,
  ages: readonly number[],
  fields: UsageInit = {},
): Promise<(UsageInit & { readonly requestId: string })[]> {
  const told = ages.map((days) => usage({ ...fields, createTime: daysAgo(days) }));
  for (let start = 0; start < told.length; start += 500) {
    const requests = told.slice(start, start + 500).map((item) => ({ usage: item }));
    const { results } = await clients.recorder.batchRecordUsage({ requests });
    const failed = results.find(({ result }) => result.case !== "response");
    if (failed) throw new Error(`a record was refused: ${JSON.stringify(failed.result.value)}`);
  }
  return told;
}

/** Every figure that is kept of records, whatever the slot that it was posted in. */
export async function readStatistics({ knex }: Database): Promise<unknown> {
  const tables = ["usage_rollups", "subject_totals", "budget_periods"];
  const statistics: Record<string, unknown> = {};
  for (const table of tables) {
    const { rows } = await knex.raw("select to_jsonb(t)::text as row from ?? t order by 1", [
      table,
    ]);
    statistics[table] = rows;
  }
  return statistics;
}

/** Names of the partitions that there are. */
export async function partitionNames({ knex }: Database): Promise<string[]> {
  const { rows } = await knex.raw(
    "select relname from pg_class where relispartition and relkind = 'r' order by relname",
  );
  return rows.map(({ relname }: { relname: string }) => relname);
}

/** How many rows there are in a table. */
export async function countRows({ knex }: Database, table: string): Promise<number> {
  const [row] = await knex(table).count({ count: "*" });
  return Number(row?.count);
}
