import { expect } from "chai";
import fc from "fast-check";
import {
  mergeSketches,
  percentilesOf,
  readSketch,
  sketchCount,
} from "../../src/analytics/sketch.js";
import { createTestDatabase, type TestDatabase } from "../support/postgres.js";

const latency = fc.oneof(
  fc.nat({ max: 50 }),
  fc.nat({ max: 600_000 }),
  fc.nat({ max: Number.MAX_SAFE_INTEGER }),
);
const latencies = fc.array(latency, { minLength: 1, maxLength: 300 });

describe("sketches of latencies", () => {
  let test: TestDatabase;
  before(async () => {
    test = await createTestDatabase();
  });
  after(() => test.drop());

  async function sketch(values: readonly number[], signs: readonly number[] = []) {
    const { rows } = await test.database.knex.raw(
      `select sum_sketch(latency_sketch(ms, sign))::text as sum
      from unnest(?::bigint[], ?::bigint[]) as u (ms, sign)`,
      [
        values as unknown as string,
        values.map((_, index) => signs[index] ?? 1) as unknown as string,
      ],
    );
    return readSketch(rows[0].sum);
  }

  it("tell percentiles within 2 %, alone and merged", async () => {
    await fc.assert(
      fc.asyncProperty(latencies, latencies, async (a, b) => {
        const merged = mergeSketches([await sketch(a), await sketch(b)]);
        const sorted = [...a, ...b].sort((x, y) => x - y);
        expect(sketchCount(merged)).to.equal(sorted.length);
        const percents = [1, 50, 95, 99, 100];
        percentilesOf(merged, percents).forEach((ms, index) => {
          const rank = Math.ceil((sorted.length * percents[index]!) / 100);
          const exact = sorted[rank - 1]!;
          expect(ms).to.be.closeTo(exact, exact * 0.02 * (1 + 1e-9));
        });
      }),
      { numRuns: 60 },
    );
  });

  it("tell every latency up to a second, and what lies around the borders of buckets", async () => {
    const values = Array.from({ length: 1_001 }, (_, ms) => ms);
    for (let border = 1_000; border < 2 ** 53; border *= 51 / 49) {
      values.push(Math.floor(border), Math.ceil(border));
    }
    const { rows } = await test.database.knex.raw(
      "select ms, latency_sketch(ms, 1)::text as sketch from unnest(?::bigint[]) ms",
      [values as unknown as string],
    );
    for (const { ms, sketch: text } of rows as { ms: bigint; sketch: string }[]) {
      const [found] = percentilesOf(readSketch(text), [50]);
      expect(found).to.be.closeTo(Number(ms), Number(ms) * 0.02 * (1 + 1e-9));
    }
  });

  it("are as they were when what was counted is taken back", async () => {
    await fc.assert(
      fc.asyncProperty(latencies, latencies, async (kept, undone) => {
        const values = [...undone, ...kept, ...undone];
        const signs = values.map((_, index) => (index < undone.length ? -1 : 1));
        expect(await sketch(values, signs)).to.deep.equal(await sketch(kept));
      }),
      { numRuns: 30 },
    );
  });

  it("count nothing where nothing was measured", () => {
    expect(sketchCount(readSketch(null))).to.equal(0);
  });
});
