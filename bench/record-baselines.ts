import type pg from "pg";
import type { ConnectionFields } from "../src/database/connection.js";
import { runPgbench } from "./support/pgbench.js";
import { quantile } from "./support/statistics.js";

const ACCOUNTS = 1_000;
const PGBENCH_CLIENTS = 16;
const PGBENCH_SECONDS = 6;
const ROWS = 256;
const STATEMENTS = 120;
const SINGLE_INSERTS = 500;

/**
 * A copy of usage_records, partitioned and indexed like it, so that baselines neither count as
 * records nor touch the table that is measured; and accounts to update.
 */
export async function createBaselineTables(client: pg.Client): Promise<void> {
  await client.query(`
    create table bench_accounts (id integer primary key, spent bigint not null) with (fillfactor = 50);
    insert into bench_accounts select i, 0 from generate_series(1, ${ACCOUNTS}) i;
    create table bench_records (like usage_records including all) partition by range (created_time);
    do $$ begin
      execute format('create table bench_records_now partition of bench_records for values from (%L) to (%L)',
        date_trunc('month', now()), date_trunc('month', now()) + interval '2 months');
    end $$;
    create sequence bench_record_number;`);
}

/** Values of one row, as SQL over a row number `n`; the columns that may be null are left out. */
const VALUES: Readonly<Record<string, string>> = {
  request_id: "'bench-' || n",
  created_time: "now()",
  updated_time: "now()",
  finished_time: "now()",
  version: "1",
  revision: "1",
  fingerprint: "'pmWkWSBCL51Bfkhn79xPuKBKHz__H6B-mY6G9_eieuM'",
  status: "'COMPLETED'",
  user_id: "'user-' || n % 1000",
  api_key_id: "'key-' || n % 1000",
  provider: "'anthropic'",
  model: "'claude-sonnet-4-5'",
  target_model: "''",
  request_type: "'chat'",
  api_format: "'CLAUDE'",
  is_stream: "true",
  status_code: "200",
  error_message: "''",
  provider_id: "''",
  provider_endpoint_id: "''",
  provider_api_key_id: "''",
  input_tokens: "1200",
  output_tokens: "350",
  cache_creation_tokens: "512",
  cache_read_tokens: "4096",
  token_convention: "'CACHE_EXCLUSIVE'",
  use_tiered_pricing: "true",
  response_time_ms: "2400",
  first_byte_time_ms: "310",
  cost_input: "3600000",
  cost_output: "5250000",
  cost_cache_creation: "1920000",
  cost_cache_read: "1228800",
  cost_request: "0",
  actual_input: "3600000",
  actual_output: "5250000",
  actual_cache_creation: "1920000",
  actual_cache_read: "1228800",
  actual_request: "0",
  rate_multiplier: "'1'",
  price_version: "1",
  price_tier_index: "0",
  billing_note: "'NONE'",
  exclude_from_budgets: "false",
  operation_id: "''",
  is_retried: "false",
  charges: `'[{"budget_id": "budget-1", "period_start": "2026-01-01T00:00:00Z", "amount": "11998800"}]'`,
  tags: `'{"team": "team-1"}'`,
};

const COLUMNS = Object.keys(VALUES).join(", ");

/** Transactions a second of one insert and one update each. */
export function measureTransactionPerRecord(connection: ConnectionFields): Promise<number> {
  const values = Object.values(VALUES).join(", ");
  const script = `
\\set account random(1, ${ACCOUNTS})
begin;
insert into bench_records (${COLUMNS}) select ${values} from nextval('bench_record_number') n;
update bench_accounts set spent = spent + 11998800 where id = :account;
commit;
`;
  const load = { clients: PGBENCH_CLIENTS, seconds: PGBENCH_SECONDS };
  return runPgbench(connection, script, load);
}

/** Rows a second of set-based inserts with nothing beside them. */
export async function measureBareInserts(client: pg.Client): Promise<number> {
  const types = await columnTypes(client);
  const names = Object.keys(VALUES);
  const unnested = names.map((name, index) => `$${index + 1}::${types.get(name)}[]`).join(", ");
  const text = `insert into bench_records (${COLUMNS}) select * from unnest(${unnested})`;
  const { rows } = await client.query({
    text: `select ${Object.entries(VALUES)
      .map(([name, value]) => `array_agg((${value})::${types.get(name)})::text as ${name}`)
      .join(", ")} from generate_series(1, ${ROWS}) n`,
  });
  const values = names.map((name) => rows[0][name] as string);
  const ids = names.indexOf("request_id");
  const startedMs = performance.now();
  for (let statement = 0; statement < STATEMENTS; statement += 1) {
    values[ids] =
      `{${Array.from({ length: ROWS }, (_, row) => `b-${startedMs}-${statement}-${row}`).join(",")}}`;
    await client.query({ name: "bare insert", text, values });
  }
  return (STATEMENTS * ROWS) / ((performance.now() - startedMs) / 1_000);
}

/** Median latency of one insert and its commit, milliseconds. */
export async function measureInsertCommits(client: pg.Client): Promise<number> {
  const values = Object.values(VALUES).join(", ");
  const text = `insert into bench_records (${COLUMNS}) select ${values} from nextval('bench_record_number') n`;
  const latencies: number[] = [];
  for (let insert = 0; insert < SINGLE_INSERTS; insert += 1) {
    const startedMs = performance.now();
    await client.query({ name: "one insert", text });
    latencies.push(performance.now() - startedMs);
  }
  return quantile(latencies, 0.5);
}

async function columnTypes(client: pg.Client): Promise<ReadonlyMap<string, string>> {
  const { rows } = await client.query(
    `select attname, format_type(atttypid, atttypmod) as type from pg_attribute
     where attrelid = 'usage_records'::regclass and attnum > 0`,
  );
  return new Map(rows.map(({ attname, type }) => [attname, type]));
}
