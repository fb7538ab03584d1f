import { expect } from "chai";
import { BudgetScope } from "../../../gen/tally/v1/usage_pb.js";
import { startTestApp, type TestApp } from "../../support/app.js";
import { expectBalancedBooks } from "../../support/books.js";
import { eventually } from "../../support/eventually.js";
import { rpcFailure } from "../../support/rpc-failure.js";
import { uniqueId } from "../../support/unique-id.js";
import { at, readSpent, USAGE_CATALOG, usage } from "../usage-fixture.js";
import { reprice } from "./reprice-fixture.js";

const YEAR = { startTime: at("2026-01-01T00:00:00Z"), endTime: at("2027-01-01T00:00:00Z") };

/** $6 and $30 per million tokens: $0.009 for 1,000 and 100 of them. */
const DOUBLE = {
  tiers: [{ inputNanoUsdPerMillion: 6_000_000_000n, outputNanoUsdPerMillion: 30_000_000_000n }],
};
const NEW_COST = 9_000_000n;

describe("a repricing while recording goes on", () => {
  let first: TestApp;
  let second: TestApp;

  beforeEach(async () => {
    first = await startTestApp();
    await first.apply(USAGE_CATALOG);
    await first.apply({ budgets: [{ budgetId: "all", scope: BudgetScope.GLOBAL }] });
    second = await startTestApp({ replicaOf: first });
  });
  afterEach(async () => {
    await second.stop();
    await first.stop();
  });

  /** Requests of 200 days, some of which are told of later than others. */
  async function recordMany(count: number): Promise<ReturnType<typeof usage>[]> {
    const told = Array.from({ length: count }, (_, index) => {
      const day = new Date(Date.UTC(2026, 0, 1 + (index % 200))).toISOString();
      return usage({ userId: `u${index % 7}`, createTime: at(day) });
    });
    for (let start = 0; start < count; start += 500) {
      const requests = told.slice(start, start + 500).map((item) => ({ usage: item }));
      await first.clients.recorder.batchRecordUsage({ requests });
    }
    return told;
  }

  it("moves every record once to the new price, whatever is told meanwhile", async () => {
    const told = await recordMany(1_500);
    await first.apply({ prices: [{ model: "sonnet", price: DOUBLE }] });
    let isRepricing = true;
    const repricing = reprice(second, { ...YEAR, requestId: uniqueId("reprice") }).finally(() => {
      isRepricing = false;
    });
    const revisions = new Map<string, bigint>();
    let added = 0;
    async function keepTelling(seed: number): Promise<void> {
      for (let turn = seed; isRepricing; turn += 2) {
        const { recorder } = first.clients;
        const item = told[(turn * 31) % told.length]!;
        const outputTokens = BigInt(200 + turn);
        await recorder.recordUsage({ usage: { ...item, outputTokens } });
        revisions.set(item.requestId, outputTokens);
        await recorder.recordUsage({ usage: usage({ createTime: at("2026-03-01T00:00:00Z") }) });
        added += 1;
      }
    }
    await Promise.all([keepTelling(0), keepTelling(1)]);
    await repricing;

    expect(revisions.size, "revisions meanwhile").to.be.above(5);
    await expectBalancedBooks(first);
    const { changedRecords } = await reprice(first, { ...YEAR, dryRun: true });
    expect(changedRecords).to.equal(0n);
    const revised = [...revisions.values()].reduce((sum, output) => sum + output * 30_000n, 0n);
    const kept = BigInt(told.length - revisions.size + added) * NEW_COST;
    const expected = kept + revised + BigInt(revisions.size) * 6_000_000n;
    expect(await readSpent(first.database, "all")).to.equal(expected);
  });

  it("prices a page anew of which a record changes between reading and writing", async () => {
    const [told] = await recordMany(10);
    await first.apply({ prices: [{ model: "sonnet", price: DOUBLE }] });
    const trx = await first.database.knex.transaction();
    const row = { request_id: told!.requestId };
    await trx("usage_keys").where(row).forUpdate();
    await trx("usage_records").where(row).increment("version").update({ target_model: "other" });
    const repricing = reprice(second, { ...YEAR, requestId: uniqueId("reprice") });
    await eventually("the repricing waits for the record", async () => {
      const { rows } = await first.database.knex.raw(
        "select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like '%reprice_step%'",
      );
      return rows.length > 0;
    });
    await trx.commit();
    expect(await repricing).to.include({ records: 10n, changedRecords: 10n });
    const { record } = await first.clients.recorder.getUsage({ requestId: told!.requestId });
    expect(record?.targetModel).to.equal("other");
    expect(record?.cost?.totalNanoUsd).to.equal(NEW_COST);
    expect(await readSpent(first.database, "all")).to.equal(10n * NEW_COST);
    await expectBalancedBooks(first);
  });

  it("goes on where it was cut off, on another replica too", async () => {
    await recordMany(900);
    await first.apply({ prices: [{ model: "sonnet", price: DOUBLE }] });
    const dry = await reprice(first, { ...YEAR, dryRun: true });
    const { knex } = first.database;
    await knex.raw(`
      create function cut_off() returns trigger language plpgsql as $$ begin
        if new.records > 300 then
          perform pg_terminate_backend(pg_backend_pid());
        end if;
        return new;
      end $$;
      create trigger cut_off after update on reprices for each row execute function cut_off();`);
    const request = { ...YEAR, requestId: uniqueId("reprice") };
    expect((await rpcFailure(reprice(first, request))).code).to.equal(14);
    await knex.raw("drop trigger cut_off on reprices");
    const [row] = await knex("reprices");
    expect(row).to.include({ records: 256n, changed_records: 256n, end_time: null });
    await expectBalancedBooks(first);
    expect(await readSpent(first.database, "all")).to.equal(
      256n * NEW_COST + (900n - 256n) * 6_500_000n,
    );

    const result = await reprice(second, request);
    expect(result).to.deep.include({ records: 900n, changedRecords: 900n, done: true });
    expect(result.models).to.deep.equal(dry.models);
    expect(await readSpent(first.database, "all")).to.equal(900n * NEW_COST);
    await expectBalancedBooks(first);
  });
});
