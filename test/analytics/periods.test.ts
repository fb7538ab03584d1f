import { expect } from "chai";
import fc from "fast-check";
import { listPeriods, type PeriodKind } from "../../src/analytics/periods.js";
import { ranges, ZONES } from "./history.js";

const at = (time: string) => Date.parse(time) * 1_000;

/** Starts of the periods, as UTC. */
function starts(kind: PeriodKind, timeZone: string, start: string, end: string): string[] {
  const periods = listPeriods({ startUs: at(start), endUs: at(end) }, kind, timeZone, 100) ?? [];
  return periods.map(({ startUs }) => new Date(startUs / 1_000).toISOString().slice(0, 16));
}

describe("listPeriods", () => {
  it("follows one another from the range's start to its end", () => {
    fc.assert(
      fc.property(
        ranges,
        fc.constantFrom<PeriodKind[]>("HOUR", "DAY", "WEEK", "MONTH", "TOTAL"),
        fc.constantFrom(...ZONES),
        (range, kind, timeZone) => {
          const periods = listPeriods(range, kind, timeZone, 10_000) ?? [];
          let expectedUs = range.startUs;
          for (const { startUs, endUs } of periods) {
            expect(startUs).to.equal(expectedUs);
            expect(endUs).to.be.above(startUs);
            expectedUs = endUs;
          }
          expect(expectedUs).to.equal(range.endUs);
        },
      ),
      { numRuns: 60 },
    );
  });

  for (const [what, timeZone, start, end, expected] of [
    [
      "hours of a zone 45 minutes off",
      "Asia/Kathmandu",
      "2026-03-01T10:00Z",
      "2026-03-01T12:00Z",
      ["2026-03-01T10:00", "2026-03-01T10:15", "2026-03-01T11:15"],
    ],
    [
      "both hours that bear the same name",
      "Europe/Berlin",
      "2026-10-25T00:00Z",
      "2026-10-25T02:00Z",
      ["2026-10-25T00:00", "2026-10-25T01:00"],
    ],
    [
      "half an hour that is repeated as part of its hour",
      "Australia/Lord_Howe",
      "2026-04-04T14:00Z",
      "2026-04-04T17:30Z",
      ["2026-04-04T14:00", "2026-04-04T15:30", "2026-04-04T16:30"],
    ],
    [
      "half an hour that is left of one that is skipped",
      "Australia/Lord_Howe",
      "2026-10-03T14:30Z",
      "2026-10-03T17:00Z",
      ["2026-10-03T14:30", "2026-10-03T15:30", "2026-10-03T16:00"],
    ],
  ] as const) {
    it(`tells apart ${what}`, () => {
      expect(starts("HOUR", timeZone, start, end)).to.deep.equal(expected);
    });
  }

  it("begins days at the zone's midnight when clocks are changed", () => {
    expect(starts("DAY", "Europe/Berlin", "2026-03-28T23:00Z", "2026-03-30T22:00Z")).to.deep.equal([
      "2026-03-28T23:00",
      "2026-03-29T22:00",
    ]);
  });

  it("lists no more than it may", () => {
    const range = { startUs: at("2026-01-01T00:00Z"), endUs: at("2026-01-04T00:00Z") };
    expect(listPeriods(range, "DAY", "UTC", 3)).to.have.lengthOf(3);
    expect(listPeriods(range, "DAY", "UTC", 2)).to.equal(undefined);
  });
});
