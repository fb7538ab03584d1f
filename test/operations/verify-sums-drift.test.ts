import { expect } from "chai";
import {
  createKnownBooks,
  each,
  KNOWN_BUCKETS,
  KNOWN_LANE,
  KNOWN_SUBJECTS,
  type KnownBooks,
} from "./known-books.js";
import { KNOWN_ROLLUP, KNOWN_TOTALS } from "./known-record.js";

describe("VerifyLedger, once a sum is changed behind its back,", () => {
  let books: KnownBooks;
  before(async () => {
    books = await createKnownBooks();
  });
  after(() => books.drop());

  describe("in the totals", () => {
    KNOWN_SUBJECTS.forEach((subject, index) => {
      const where = `where kind = ${index + 1} and slot = ${KNOWN_LANE}`;

      for (const figure of Object.keys(KNOWN_TOTALS)) {
        it(`of ${subject}, finds other ${figure}`, async () => {
          const column = figure.replace("_nano_usd", "");
          await books.expectDrifts(`update subject_totals set ${column} = ${column} + 7 ${where}`, [
            ["subject_totals", subject, figure, 7],
          ]);
        });
      }

      it(`of ${subject}, finds a row missing`, async () => {
        await books.expectDrifts(
          `delete from subject_totals ${where}`,
          each(KNOWN_TOTALS, (figure, sum) => ["subject_totals", subject, figure, -sum]),
        );
      });

      it(`of ${subject}, finds a last use before the last record`, async () => {
        const { drifts } = await books.reportAfter(`
          update subject_totals set last_used_time = '2026-01-01'
          where kind = ${index + 1} and id = (select id from subject_totals ${where})`);
        const { rows } = await books.database.knex.raw(`
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
      const { drifts } = await books.reportAfter(
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
      await books.expectDrifts("insert into subject_totals values (5, 'x', 0, 1, 2, 3, 4, now())", [
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
          await books.expectDrifts(`update usage_rollups set ${figure} = ${figure} + 7 ${where}`, [
            ["rollup", bucket, figure, 7],
          ]);
        });
      }

      it("finds a row missing", async () => {
        await books.expectDrifts(
          `delete from usage_rollups ${where}`,
          each(KNOWN_ROLLUP, (figure, sum) => ["rollup", bucket, figure, -sum]),
        );
      });

      it("finds a row in another bucket", async () => {
        const { driftCount } = await books.reportAfter(
          `update usage_rollups set bucket_time = bucket_time + interval '15 minutes' ${where}`,
        );
        expect(driftCount).to.equal(2n * BigInt(Object.keys(KNOWN_ROLLUP).length));
      });
    });
  });
});
