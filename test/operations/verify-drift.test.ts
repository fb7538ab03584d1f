import { expect } from "chai";
import {
  createKnownBooks,
  type Excess,
  each,
  KNOWN_BUCKETS,
  KNOWN_PERIODS,
  KNOWN_TIME,
  type KnownBooks,
  toExcess,
} from "./known-books.js";
import { KNOWN_CHARGES, KNOWN_RECORD, KNOWN_ROLLUP, SKETCHES } from "./known-record.js";

describe("VerifyLedger, once something is changed behind its back,", () => {
  let books: KnownBooks;
  before(async () => {
    books = await createKnownBooks();
  });
  after(() => books.drop());

  it("finds nothing where nothing that counts was changed", async () => {
    await books.expectDrifts("update usage_records set error_message = 'other'", []);
    await books.expectDrifts("update usage_rollups set last_time = '2030-01-01'", []);
    await books.expectDrifts("insert into budget_periods values ('new', now(), 0, 0)", []);
    const [zeros, grain] = [Object.keys(KNOWN_ROLLUP).map(() => 0), 1];
    await books.expectDrifts(
      `insert into usage_rollups values (${grain}, '', now(), '', '', '', '', false, '', 0, null, now(), ${zeros})`,
      [],
    );
  });

  it("lists as many drifts as it was asked for, of all checks together, and counts the rest", async () => {
    const statement =
      "update usage_records set cost_input = cost_input + 1 where request_id = 'known'";
    const all = await books.reportAfter(statement);
    expect(all.drifts.map(toExcess)).to.have.deep.members([
      ["record", "known", "charge of all", -1],
      ...KNOWN_BUCKETS.map((bucket) => ["rollup", bucket, "cost_input", -1]),
    ]);
    const first = await books.reportAfter(statement, 3);
    expect(first.driftCount).to.equal(10n);
    expect(first.drifts).to.deep.equal(all.drifts.slice(0, 3));
  });

  describe("in a record,", () => {
    it("finds that its key is gone", async () => {
      const { drifts } = await books.reportAfter(
        "delete from usage_keys where request_id = 'known'",
      );
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
      const { drifts } = await books.reportAfter(`
        update usage_keys set created_time = created_time + interval '1 microsecond'
        where request_id = 'known'`);
      expect(drifts.map(({ stored, recomputed }) => [stored, recomputed])).to.deep.equal([
        ["2026-01-15 12:20:00.000001+00", KNOWN_TIME],
      ]);
    });

    KNOWN_RECORD.charges.forEach(({ budgetId, amount }, index) => {
      it(`finds that its charge of the budget "${budgetId}" is wrong`, async () => {
        await books.expectDrifts(
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
      await books.expectDrifts(
        `update usage_records set charges = charges || (charges -> 1) where request_id = 'known'`,
        [
          ["record", "known", "charge of user", 1_000],
          ["budget_spent", KNOWN_PERIODS.user ?? "", "spent", -1_000],
        ],
      );
    });

    it("finds that it charges although it is excluded", async () => {
      await books.expectDrifts(
        "update usage_records set exclude_from_budgets = true where request_id = 'known'",
        each(KNOWN_CHARGES, (id, amount) => ["record", "known", `charge of ${id}`, amount]),
      );
    });

    it("finds that it charges and is counted although it is unfinished", async () => {
      await books.expectDrifts(
        "update usage_records set status = 'STREAMING' where request_id = 'known'",
        [
          ...each(KNOWN_CHARGES, (id, sum) => ["record", "known", `charge of ${id}`, sum]),
          ...each(KNOWN_CHARGES, (id, sum) => [
            "budget_spent",
            KNOWN_PERIODS[id] ?? "",
            "spent",
            sum,
          ]),
          ...KNOWN_BUCKETS.flatMap((bucket) =>
            each(KNOWN_ROLLUP, (figure, sum) => ["rollup", bucket, figure, sum]),
          ),
          ...KNOWN_BUCKETS.filter((_, index) => index + 1 !== 3).flatMap((bucket) =>
            SKETCHES.map((figure): Excess => ["rollup", bucket, figure, 0]),
          ),
        ],
      );
    });
  });

  describe("in a budget's period,", () => {
    for (const [what, statement, excess] of [
      ["has spent too much", "update budget_periods set spent = spent + 1", 1],
      ["has spent too little", "update budget_periods set spent = spent - 1", -1],
      ["is missing", "delete from budget_periods", -992],
    ] as const) {
      it(`finds that it ${what}`, async () => {
        await books.expectDrifts(`${statement} where budget_id = 'paid' and spent = 992`, [
          ["budget_spent", KNOWN_PERIODS.paid ?? "", "spent", excess],
        ]);
      });
    }

    it("finds that nobody charged it", async () => {
      await books.expectDrifts("insert into budget_periods values ('new', '2026-01-01', 5, 0)", [
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
        await books.expectDrifts(statement, [
          ["budget_leased", KNOWN_PERIODS.user ?? "", "leased", excess],
        ]);
      });
    }

    it("finds that it is missing although it has leases", async () => {
      const { drifts } = await books.reportAfter("delete from budget_periods where leased = 100");
      expect(drifts.map(({ check, stored }) => [check, stored])).to.deep.equal([
        ["budget_spent", "0"],
        ["budget_leased", "0"],
      ]);
    });
  });
});
