import { expect } from "chai";
import type { Database } from "../../src/database/database.js";
import { createLedgerVerifier, type LedgerReport } from "../../src/operations/verify.js";
import { createVerifyStore } from "../../src/operations/verify-store.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";
import { KNOWN_CHARGES, KNOWN_RECORD, KNOWN_ROLLUP, KNOWN_TOTALS } from "./known-record.js";
import { insertLease, insertTestBudgets, recordAll, sampleRecords } from "./ledger-fixture.js";

/** The lane that only the known record was posted in: its rows hold that record alone. */
const KNOWN_LANE = 1;

const KNOWN_TIME = "2026-01-15 12:20:00+00";
/** Midnight in Kathmandu. */
const KNOWN_DAY = "2026-01-14 18:15:00+00";
const KNOWN_PERIODS: Readonly<Record<string, string>> = {
  all: "all from 1970-01-01 00:00:00+00",
  user: `user from ${KNOWN_DAY}`,
  paid: `paid from ${KNOWN_DAY}`,
  calls: `calls from ${KNOWN_DAY}`,
  gone: "gone from 1970-01-01 00:00:00+00",
};

const KNOWN_SUBJECTS = ["user u1", "API key k1", "provider p1", "model m 1"];

const KNOWN_BUCKETS = [
  "grain 1 from 2026-01-15 12:15:00+00 user 'u1' API key 'k1' provider 'p1' model 'm 1' format 'CLAUDE'",
  "grain 2 from 2026-01-15 00:00:00+00 user 'u1' API key 'k1' provider 'p1' model 'm 1' format 'CLAUDE'",
  "grain 3 from 2026-01-15 12:15:00+00 user '' API key '' provider 'p1' model 'm 1' format 'CLAUDE'",
  "grain 4 from 2026-01-15 00:00:00+00 user '' API key '' provider 'p1' model 'm 1' format 'CLAUDE'",
];

/** A drift by what is stored too much, or, below 0, too little. */
type Excess = readonly [check: string, subject: string, figure: string, excess: number];

function toExcess(drift: LedgerReport["drifts"][number]): Excess {
  const excess = BigInt(drift.stored) - BigInt(drift.recomputed);
  return [drift.check, drift.subject, drift.figure, Number(excess)];
}

function each<T>(
  figures: Readonly<Record<string, T>>,
  toDrift: (name: string, value: T) => Excess,
) {
  return Object.entries(figures).map(([name, value]) => toDrift(name, value));
}

describe("VerifyLedger, once something is changed behind its back,", () => {
  let testDatabase: TestDatabase;
  let database: Database;

  before(async () => {
    testDatabase = await createTestDatabase();
    database = testDatabase.database;
    await insertTestBudgets(database);
    await recordAll(database, sampleRecords(80, 5), 0);
    await recordAll(database, [KNOWN_RECORD], KNOWN_LANE);
    const period = { budgetId: "user", periodStart: KNOWN_DAY };
    await insertLease(database, { ...period, replicaId: "one", amount: 70 });
    await insertLease(database, { ...period, replicaId: "two", amount: 30 });
  });
  after(() => testDatabase.drop());

  /** Verifies in the transaction of the change, and undoes it. */
  async function reportAfter(statement: string, maxDrifts = 100): Promise<LedgerReport> {
    const trx = await database.knex.transaction();
    try {
      const { rowCount } = await trx.raw(statement);
      expect(rowCount, "rows that were changed").to.be.above(0);
      const store = createVerifyStore({ transaction: (work) => work(trx) });
      return await createLedgerVerifier(store).verify({ maxDrifts });
    } finally {
      await trx.rollback();
    }
  }

  async function expectDrifts(statement: string, expected: readonly Excess[]): Promise<void> {
    const { drifts, driftCount } = await reportAfter(statement);
    expect(drifts.map(toExcess)).to.have.deep.members(expected);
    expect(driftCount).to.equal(BigInt(expected.length));
  }

  it("finds nothing where nothing that counts was changed", async () => {
    await expectDrifts("update usage_records set error_message = 'other'", []);
    await expectDrifts("update subject_totals set last_used_time = '2030-01-01'", []);
    await expectDrifts("insert into budget_periods values ('new', now(), 0, 0)", []);
    const [zeros, grain] = [Object.keys(KNOWN_ROLLUP).map(() => 0), 1];
    await expectDrifts(
      `insert into usage_rollups values (${grain}, '', now(), '', '', '', '', 0, ${zeros})`,
      [],
    );
  });

  it("lists as many drifts as it was asked for, of all checks together, and counts the rest", async () => {
    const statement =
      "update usage_records set cost_input = cost_input + 1 where request_id = 'known'";
    const all = await reportAfter(statement);
    expect(all.drifts.map(toExcess)).to.have.deep.members([
      ["record", "known", "charge of all", -1],
      ...KNOWN_SUBJECTS.map((subject) => ["subject_totals", subject, "cost_nano_usd", -1]),
      ...KNOWN_BUCKETS.map((bucket) => ["rollup", bucket, "cost_input", -1]),
    ]);
    const first = await reportAfter(statement, 3);
    expect(first.driftCount).to.equal(9n);
    expect(first.drifts).to.deep.equal(all.drifts.slice(0, 3));
  });

  describe("in a record,", () => {
    it("finds that its key is gone", async () => {
      const { drifts } = await reportAfter("delete from usage_keys where request_id = 'known'");
      expect(drifts).to.deep.equal([
        {
          check: "record",
          subject: "known",
          figure: "key_created_time",
          stored: "none",
          recomputed: KNOWN_TIME,
        },
      ]);
    });

    it("finds that its key points elsewhere", async () => {
      const { drifts } = await reportAfter(`
        update usage_keys set created_time = created_time + interval '1 microsecond'
        where request_id = 'known'`);
      expect(drifts.map(({ stored, recomputed }) => [stored, recomputed])).to.deep.equal([
        ["2026-01-15 12:20:00.000001+00", KNOWN_TIME],
      ]);
    });

    KNOWN_RECORD.charges.forEach(({ budgetId, amount }, index) => {
      it(`finds that its charge of the budget "${budgetId}" is wrong`, async () => {
        await expectDrifts(
          `update usage_records
          set charges = jsonb_set(charges, '{${index},amount}', '"${amount + 7n}"')
          where request_id = 'known'`,
          [
            // A budget that is gone tells no measure.
            ...(budgetId === "gone"
              ? []
              : ([["record", "known", `charge of ${budgetId}`, 7]] as const)),
            ["budget_spent", KNOWN_PERIODS[budgetId] ?? "", "spent", -7],
          ],
        );
      });
    });

    it("finds that it charges a budget twice", async () => {
      await expectDrifts(
        `update usage_records set charges = charges || (charges -> 1) where request_id = 'known'`,
        [
          ["record", "known", "charge of user", 1_000],
          ["budget_spent", KNOWN_PERIODS.user ?? "", "spent", -1_000],
        ],
      );
    });

    it("finds that it charges although it is excluded", async () => {
      await expectDrifts(
        "update usage_records set exclude_from_budgets = true where request_id = 'known'",
        each(KNOWN_CHARGES, (id, amount) => ["record", "known", `charge of ${id}`, amount]),
      );
    });

    it("finds that it charges and is counted although it is unfinished", async () => {
      await expectDrifts(
        "update usage_records set status = 'STREAMING' where request_id = 'known'",
        [
          ...each(KNOWN_CHARGES, (id, sum) => ["record", "known", `charge of ${id}`, sum]),
          ...each(KNOWN_CHARGES, (id, sum) => [
            "budget_spent",
            KNOWN_PERIODS[id] ?? "",
            "spent",
            sum,
          ]),
          ...KNOWN_SUBJECTS.flatMap((subject) =>
            each(KNOWN_TOTALS, (figure, sum) => ["subject_totals", subject, figure, sum]),
          ),
          ...KNOWN_BUCKETS.flatMap((bucket) =>
            each(KNOWN_ROLLUP, (figure, sum) => ["rollup", bucket, figure, sum]),
          ),
        ],
      );
    });
  });

  describe("in a budget's period,", () => {
    for (const [what, statement, excess] of [
      ["has spent too much", "update budget_periods set spent = spent + 1", 1],
      ["has spent too little", "update budget_periods set spent = spent - 1", -1],
      ["is missing", "delete from budget_periods", -31],
    ] as const) {
      it(`finds that it ${what}`, async () => {
        await expectDrifts(`${statement} where budget_id = 'paid' and spent = 992`, [
          ["budget_spent", KNOWN_PERIODS.paid ?? "", "spent", excess === -31 ? -992 : excess],
        ]);
      });
    }

    it("finds that nobody charged it", async () => {
      await expectDrifts("insert into budget_periods values ('new', '2026-01-01', 5, 0)", [
        ["budget_spent", "new from 2026-01-01 00:00:00+00", "spent", 5],
      ]);
    });

    for (const [what, statement, excess] of [
      ["has lent too much", "update budget_periods set leased = 101 where leased = 100", 1],
      ["has lent too little", "update budget_periods set leased = 99 where leased = 100", -1],
      [
        "has a lease of another amount",
        "update budget_leases set amount = 71 where amount = 70",
        -1,
      ],
      ["has lost a lease", "delete from budget_leases where amount = 30", 30],
      ["has lost all leases", "delete from budget_leases", 100],
    ] as const) {
      it(`finds that it ${what}`, async () => {
        await expectDrifts(statement, [
          ["budget_leased", KNOWN_PERIODS.user ?? "", "leased", excess],
        ]);
      });
    }

    it("finds that it is missing although it has leases", async () => {
      const { drifts } = await reportAfter("delete from budget_periods where leased = 100");
      expect(drifts.map(({ check, stored }) => [check, stored])).to.deep.equal([
        ["budget_spent", "0"],
        ["budget_leased", "0"],
      ]);
    });
  });

  describe("in the totals", () => {
    KNOWN_SUBJECTS.forEach((subject, index) => {
      const where = `where kind = ${index + 1} and slot = ${KNOWN_LANE}`;

      for (const figure of Object.keys(KNOWN_TOTALS)) {
        it(`of ${subject}, finds other ${figure}`, async () => {
          const column = figure.replace("_nano_usd", "");
          await expectDrifts(`update subject_totals set ${column} = ${column} + 7 ${where}`, [
            ["subject_totals", subject, figure, 7],
          ]);
        });
      }

      it(`of ${subject}, finds a row missing`, async () => {
        await expectDrifts(
          `delete from subject_totals ${where}`,
          each(KNOWN_TOTALS, (figure, sum) => ["subject_totals", subject, figure, -sum]),
        );
      });

      it(`of ${subject}, finds a last use before the last record`, async () => {
        const { drifts } = await reportAfter(`
          update subject_totals set last_used_time = '2026-01-01'
          where kind = ${index + 1} and id = (select id from subject_totals ${where})`);
        const { rows } = await database.knex.raw(`
          select max(last_used_time)::text as last from subject_totals
          where kind = ${index + 1} and id = (select id from subject_totals ${where})`);
        expect(drifts).to.deep.equal([
          {
            check: "subject_totals",
            subject,
            figure: "last_used_time",
            stored: "2026-01-01 00:00:00+00",
            recomputed: rows[0].last,
          },
        ]);
      });
    });

    it("finds all figures of a subject missing, the last use too", async () => {
      const { drifts } = await reportAfter(
        "delete from subject_totals where kind = 3 and id = 'p2'",
      );
      expect(drifts.map(({ figure, stored }) => [figure, stored])).to.deep.equal([
        ["actual_cost_nano_usd", "0"],
        ["cost_nano_usd", "0"],
        ["last_used_time", "none"],
        ["requests", "0"],
        ["tokens", "0"],
      ]);
    });

    it("finds a subject that no record has", async () => {
      await expectDrifts("insert into subject_totals values (5, 'x', 0, 1, 2, 3, 4, now())", [
        ["subject_totals", "kind 5 x", "requests", 1],
        ["subject_totals", "kind 5 x", "tokens", 2],
        ["subject_totals", "kind 5 x", "cost_nano_usd", 3],
        ["subject_totals", "kind 5 x", "actual_cost_nano_usd", 4],
      ]);
    });
  });

  KNOWN_BUCKETS.forEach((bucket, index) => {
    const where = `where grain = ${index + 1} and slot = ${KNOWN_LANE}`;

    describe(`in the rollups of grain ${index + 1}`, () => {
      for (const figure of Object.keys(KNOWN_ROLLUP)) {
        it(`finds other ${figure}`, async () => {
          await expectDrifts(`update usage_rollups set ${figure} = ${figure} + 7 ${where}`, [
            ["rollup", bucket, figure, 7],
          ]);
        });
      }

      it("finds a row missing", async () => {
        await expectDrifts(
          `delete from usage_rollups ${where}`,
          each(KNOWN_ROLLUP, (figure, sum) => ["rollup", bucket, figure, -sum]),
        );
      });

      it("finds a row in another bucket", async () => {
        const { driftCount } = await reportAfter(
          `update usage_rollups set bucket_time = bucket_time + interval '15 minutes' ${where}`,
        );
        expect(driftCount).to.equal(2n * BigInt(Object.keys(KNOWN_ROLLUP).length));
      });
    });
  });
});
