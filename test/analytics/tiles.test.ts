import { expect } from "chai";
import fc from "fast-check";
import type { Width } from "../../src/analytics/grains.js";
import { tileRange } from "../../src/analytics/tiles.js";
import { ranges } from "./history.js";

const WIDTHS: readonly Width[] = ["MONTH", "DAY", "HOUR", "QUARTER"];

/** Where buckets of a width begin, as the database has them. */
const STARTS: Readonly<Record<Width, RegExp>> = {
  MONTH: /-01T00:00:00.000Z$/,
  DAY: /T00:00:00.000Z$/,
  HOUR: /:00:00.000Z$/,
  QUARTER: /:(00|15|30|45):00.000Z$/,
  RAW: /Z$/,
};

/** From near the beginning of a month to near the end of one. */
const monthly = fc
  .tuple(fc.integer({ min: -200, max: 200 }), fc.integer({ min: -200, max: 200 }))
  .map(([start, end]) => ({
    startUs: Date.UTC(2026, 2, 1) * 1_000 + start * 900_000_000,
    endUs: Date.UTC(2026, 4, 1) * 1_000 + end * 900_000_000 + 1,
  }));

describe("tileRange", () => {
  it("covers every moment once, with whole buckets", () => {
    fc.assert(
      fc.property(
        fc.oneof(ranges, monthly),
        fc.subarray([...WIDTHS].slice(0, 3)),
        (range, some) => {
          const tiles = tileRange(range, [...some, "QUARTER"]);
          const inOrder = [...tiles].sort((a, b) => a.startUs - b.startUs);
          let nextUs = range.startUs;
          for (const { startUs, endUs, width } of inOrder) {
            expect(startUs).to.equal(nextUs);
            expect(endUs).to.be.above(startUs);
            if (width === "RAW") expect(endUs - startUs).to.be.below(2 * 900_000_000);
            else
              for (const timeUs of [startUs, endUs]) {
                expect(timeUs % 1_000).to.equal(0);
                expect(new Date(timeUs / 1_000).toISOString()).to.match(STARTS[width]);
              }
            nextUs = endUs;
          }
          expect(nextUs).to.equal(range.endUs);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("takes the longest buckets that fit", () => {
    const us = (time: string) => Date.parse(time) * 1_000;
    const range = { startUs: us("2026-01-30T22:45Z"), endUs: us("2026-03-02T01:15Z") };
    expect(
      tileRange(range, WIDTHS)
        .sort((a, b) => a.startUs - b.startUs)
        .map(({ width, startUs }) => [width, new Date(startUs / 1_000).toISOString().slice(5, 16)]),
    ).to.deep.equal([
      ["QUARTER", "01-30T22:45"],
      ["HOUR", "01-30T23:00"],
      ["DAY", "01-31T00:00"],
      ["MONTH", "02-01T00:00"],
      ["DAY", "03-01T00:00"],
      ["HOUR", "03-02T00:00"],
      ["QUARTER", "03-02T01:00"],
    ]);
  });
});
