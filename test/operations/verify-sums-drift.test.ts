import { expect } from "chai";
import {
  createKnownBooks,
  type Excess,
  each,
  KNOWN_BUCKETS,
  KNOWN_LANE,
  KNOWN_SUBJECTS,
  type KnownBooks,
} from "./known-books.js";
import { KNOWN_ROLLUP, SKETCHES } from "./known-record.js";

describe("VerifyLedger, once a sum is changed behind its back,", () => {
  let books: KnownBooks;
  before(async () => {
    books = await createKnownBooks();
  });
  after(() => books.drop());

  describe("in the totals", () => {
    const subjects = [
      [3, "user_id", "u1"],
      [3, "api_key_id", "k1"],
      [7, "provider", "p1"],
      [7, "model", "m 1"],
    ] as const;
    subjects.forEach(([grain, column, id], index) => {
      const subject = KNOWN_SUBJECTS[index]!;

      it(`of ${subject}, finds a last use before the last record`, async () => {
        const { drifts } = await books.reportAfter(`
          update usage_rollups set last_time = '2026-01-01'
          where grain = ${grain} and ${column} = '${id}'`);
        const { rows } = await books.database.knex.raw(`
          select max(created_time)::text as last from usage_records
          where ${column} = '${id}' and status in ('COMPLETED', 'FAILED')`);
        expect(drifts.filter((drift) => drift.subject === subject)).to.deep.equal([
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
  });

  KNOWN_BUCKETS.forEach((bucket, index) => {
    const where = `where grain = ${index + 1} and slot = ${KNOWN_LANE}`;

    const sketches = index + 1 === 3 ? [] : SKETCHES;
    const figures = Object.keys(KNOWN_ROLLUP).length + sketches.length;

    describe(`in the rollups of grain ${index + 1}`, () => {
      for (const figure of Object.keys(KNOWN_ROLLUP)) {
        it(`finds other ${figure}`, async () => {
          await books.expectDrifts(`update usage_rollups set ${figure} = ${figure} + 7 ${where}`, [
            ["rollup", bucket, figure, 7],
          ]);
        });
      }

      for (const figure of SKETCHES) {
        it(`finds other ${figure}`, async () => {
          await books.expectDrifts(
            `update usage_rollups set ${figure} = coalesce(${figure}, 0) + 1e50 ${where}`,
            [["rollup", bucket, figure, 0]],
          );
        });
      }

      it("finds a row missing", async () => {
        await books.expectDrifts(`delete from usage_rollups ${where}`, [
          ...each(KNOWN_ROLLUP, (figure, sum) => ["rollup", bucket, figure, -sum]),
          ...sketches.map((figure): Excess => ["rollup", bucket, figure, 0]),
        ]);
      });

      it("finds a row in another bucket", async () => {
        const { driftCount } = await books.reportAfter(
          `update usage_rollups set bucket_time = bucket_time + interval '15 minutes' ${where}`,
        );
        expect(driftCount).to.equal(2n * BigInt(figures));
      });
    });
  });
});
