import { expect } from "chai";
import fc from "fast-check";
import { computePeriod } from "../../src/quota/calendar.js";
import { type BudgetWindow, periodAt } from "../../src/quota/window.js";
import { dayAt, firstOfMonth, isFirstMomentOf, latestDayAt, mondayOf } from "./calendar-oracle.js";

const HOUR_MS = 3_600_000;

/** Zones whose clocks do what clocks should not. */
const ZONES = [
  "UTC",
  "Africa/Cairo",
  "Africa/Casablanca",
  "America/Asuncion",
  "America/Havana",
  "America/New_York",
  "America/Sao_Paulo",
  "America/Scoresbysund",
  "America/St_Johns",
  "Antarctica/Casey",
  "Antarctica/Troll",
  "Asia/Beirut",
  "Asia/Gaza",
  "Asia/Kathmandu",
  "Asia/Tehran",
  "Australia/Lord_Howe",
  "Europe/Berlin",
  "Pacific/Apia",
  "Pacific/Chatham",
  "Pacific/Kiritimati",
];

/** Near these, clocks were set, over midnight some of them, or a day was left out. */
const SETTINGS_OF_CLOCKS = [
  "2017-10-15T03:00:00Z", // Sao Paulo, 00:00 to 01:00
  "2018-02-18T02:00:00Z", // Sao Paulo, 00:00 to 23:00
  "2006-10-29T02:31:00Z", // St. John's, 00:01 to 23:01
  "2009-11-01T02:31:00Z", // St. John's, 00:01 to 23:01
  "2024-11-03T05:00:00Z", // Havana, 01:00 to 00:00
  "2024-04-25T22:00:00Z", // Cairo, 00:00 to 01:00
  "2024-03-30T22:00:00Z", // Beirut, 00:00 to 01:00
  "2011-12-30T10:00:00Z", // Apia, without 30 December
  "1994-12-31T10:00:00Z", // Kiritimati, without 31 December
  "2010-03-04T15:00:00Z", // Casey, 02:00 to 23:00
  "2024-10-27T01:00:00Z", // Berlin and Troll
  "2025-04-05T15:00:00Z", // Lord Howe, half an hour back
  "2025-02-23T02:00:00Z", // Casablanca, for a month
].map((text) => Date.parse(text));

const moments = fc.oneof(
  fc.integer({ min: Date.UTC(1995, 0), max: Date.UTC(2040, 0) }),
  fc
    .tuple(
      fc.constantFrom(...SETTINGS_OF_CLOCKS),
      fc.integer({ min: -30 * HOUR_MS, max: 30 * HOUR_MS }),
    )
    .map(([setMs, offsetMs]) => setMs + offsetMs),
);

const windows: fc.Arbitrary<BudgetWindow> = fc
  .record({
    kind: fc.constantFrom("DAY", "WEEK", "MONTH", "EVERY_N_DAYS"),
    timeZone: fc.constantFrom(...ZONES),
    days: fc.oneof(fc.integer({ min: 1, max: 45 }), fc.integer({ min: 1, max: 3_660 })),
    anchorMs: fc.integer({ min: Date.UTC(1990, 0), max: Date.UTC(2045, 0) }),
  })
  .map(({ kind, timeZone, days, anchorMs }) =>
    kind === "EVERY_N_DAYS" ? { kind, timeZone, days, anchorMs } : { kind, timeZone },
  );

/** First day of the period that holds the day, and first day of the next, as days since 1970. */
function expectedDays(window: BudgetWindow, day: number): [first: number, next: number] {
  const { kind, timeZone, days = 0, anchorMs = 0 } = window;
  switch (kind) {
    case "MONTH":
      return [firstOfMonth(day, 0), firstOfMonth(day, 1)];
    case "WEEK":
      return [mondayOf(day), mondayOf(day) + 7];
    case "EVERY_N_DAYS": {
      const anchorDay = dayAt(anchorMs, timeZone);
      const first = anchorDay + Math.floor((day - anchorDay) / days) * days;
      return [first, first + days];
    }
    default:
      return [day, day + 1];
  }
}

/** The period in ISO 8601, in UTC. */
function show(window: BudgetWindow, at: string): [start: string, end: string] {
  const { startMs, endMs } = periodAt(window, Date.parse(at));
  return [startMs, endMs ?? Number.NaN].map((ms) =>
    new Date(ms).toISOString().replace(/:00\.000Z$/, "Z"),
  ) as [string, string];
}

describe("periodAt", () => {
  it("is one endless period from 1970 for LIFETIME", () => {
    const window: BudgetWindow = { kind: "LIFETIME", timeZone: "UTC" };
    expect(periodAt(window, Date.UTC(2026, 0))).to.deep.equal({ startMs: 0, endMs: null });
    expect(periodAt(window, -1)).to.deep.equal({ startMs: 0, endMs: null });
  });

  describe("finds the day, whatever its length", () => {
    for (const [zone, at, start, end, why] of [
      ["UTC", "2026-02-28T23:59:59.999Z", "2026-02-28T00:00Z", "2026-03-01T00:00Z", "24 hours"],
      ["UTC", "2026-03-01T00:00:00Z", "2026-03-01T00:00Z", "2026-03-02T00:00Z", "starts at 0:00"],
      ["Europe/Berlin", "2026-03-29T12:00Z", "2026-03-28T23:00Z", "2026-03-29T22:00Z", "23 hours"],
      ["Europe/Berlin", "2026-10-25T12:00Z", "2026-10-24T22:00Z", "2026-10-25T23:00Z", "25 hours"],
      ["America/New_York", "2026-03-08T12:00Z", "2026-03-08T05:00Z", "2026-03-09T04:00Z", "23"],
      ["Asia/Kathmandu", "2026-01-01T18:14Z", "2025-12-31T18:15Z", "2026-01-01T18:15Z", "+5:45"],
      ["Pacific/Chatham", "2026-04-05T00:00Z", "2026-04-04T10:15Z", "2026-04-05T11:15Z", "+12:45"],
      ["Australia/Lord_Howe", "2026-04-05T00:00Z", "2026-04-04T13:00Z", "2026-04-05T13:30Z", "½h"],
      ["America/Sao_Paulo", "2017-10-15T12:00Z", "2017-10-15T03:00Z", "2017-10-16T02:00Z", "1:00"],
      ["America/Sao_Paulo", "2018-02-18T02:30Z", "2018-02-17T02:00Z", "2018-02-18T03:00Z", "25"],
      ["Africa/Cairo", "2024-04-26T00:00Z", "2024-04-25T22:00Z", "2024-04-26T21:00Z", "from 1:00"],
      ["Asia/Beirut", "2024-03-31T00:00Z", "2024-03-30T22:00Z", "2024-03-31T21:00Z", "from 1:00"],
      [
        "America/Havana",
        "2024-11-03T05:30Z",
        "2024-11-03T04:00Z",
        "2024-11-04T05:00Z",
        "0:00 twice",
      ],
      ["Pacific/Apia", "2011-12-30T09:59Z", "2011-12-29T10:00Z", "2011-12-30T10:00Z", "29 Dec"],
      ["Pacific/Apia", "2011-12-30T10:00Z", "2011-12-30T10:00Z", "2011-12-31T10:00Z", "31 Dec"],
      // 00:00 on 1 November, a minute later 23:01 on 31 October: the new day has begun.
      ["America/St_Johns", "2009-11-01T03:00Z", "2009-11-01T02:30Z", "2009-11-02T03:30Z", "back"],
    ] as const) {
      it(`${zone} at ${at}: ${why}`, () => {
        expect(show({ kind: "DAY", timeZone: zone }, at)).to.deep.equal([start, end]);
      });
    }
  });

  describe("finds weeks, months and spans of days", () => {
    for (const [kind, zone, at, start, end] of [
      ["WEEK", "UTC", "2026-11-22T23:59Z", "2026-11-16T00:00Z", "2026-11-23T00:00Z"],
      ["WEEK", "UTC", "2026-11-23T00:00Z", "2026-11-23T00:00Z", "2026-11-30T00:00Z"],
      ["WEEK", "UTC", "2027-01-01T00:00Z", "2026-12-28T00:00Z", "2027-01-04T00:00Z"],
      ["WEEK", "Europe/Berlin", "2026-03-29T12:00Z", "2026-03-22T23:00Z", "2026-03-29T22:00Z"],
      ["MONTH", "UTC", "2024-02-29T12:00Z", "2024-02-01T00:00Z", "2024-03-01T00:00Z"],
      ["MONTH", "UTC", "2026-12-31T23:59Z", "2026-12-01T00:00Z", "2027-01-01T00:00Z"],
      ["MONTH", "America/New_York", "2026-03-31T12:00Z", "2026-03-01T05:00Z", "2026-04-01T04:00Z"],
      ["MONTH", "Asia/Kathmandu", "2026-01-31T18:15Z", "2026-01-31T18:15Z", "2026-02-28T18:15Z"],
      ["MONTH", "Pacific/Apia", "2011-12-15T00:00Z", "2011-12-01T10:00Z", "2011-12-31T10:00Z"],
    ] as const) {
      it(`${kind} in ${zone} at ${at}`, () => {
        expect(show({ kind, timeZone: zone }, at)).to.deep.equal([start, end]);
      });
    }

    it("counts spans from the anchor's local date, in both directions", () => {
      const window: BudgetWindow = {
        kind: "EVERY_N_DAYS",
        timeZone: "Europe/Berlin",
        days: 30,
        anchorMs: Date.parse("2026-03-14T23:30:00Z"), // 15 March in Berlin
      };
      const around = ["2026-03-14T23:00Z", "2026-04-13T22:00Z"];
      expect(show(window, "2026-03-14T23:00Z")).to.deep.equal(around);
      expect(show(window, "2026-04-13T21:59Z")).to.deep.equal(around);
      const before = ["2026-02-12T23:00Z", "2026-03-14T23:00Z"];
      expect(show(window, "2026-03-14T22:59Z")).to.deep.equal(before);
    });
  });

  it("agrees with a clock that is watched minute by minute", () => {
    fc.assert(
      fc.property(windows, moments, (window, atMs) => {
        const { timeZone } = window;
        const { startMs, endMs } = periodAt(window, atMs);
        const [first, next] = expectedDays(window, latestDayAt(atMs, timeZone));
        expect(startMs).to.be.at.most(atMs);
        expect(endMs).to.be.above(atMs);
        expect(isFirstMomentOf(first, startMs, timeZone), `start ${startMs}`).to.equal(true);
        expect(isFirstMomentOf(next, endMs ?? 0, timeZone), `end ${endMs}`).to.equal(true);
      }),
      { numRuns: 1_000 },
    );
  });

  it("leaves no gap and no overlap between periods", () => {
    fc.assert(
      fc.property(windows, moments, (window, atMs) => {
        const period = periodAt(window, atMs);
        expect(periodAt(window, (period.endMs ?? 0) - 1)).to.deep.equal(period);
        expect(periodAt(window, period.startMs)).to.deep.equal(period);
        expect(periodAt(window, period.endMs ?? 0).startMs).to.equal(period.endMs);
        expect(periodAt(window, period.startMs - 1).endMs).to.equal(period.startMs);
      }),
    );
  });

  it("answers from memory what it would work out", () => {
    const alike = fc.array(windows, { minLength: 1, maxLength: 3 }).chain((few) =>
      fc.array(
        fc.record({
          // Alike in content, and one object or several.
          window: fc.constantFrom(...few, ...few.map((window) => ({ ...window }))),
          atMs: fc.integer({ min: Date.UTC(2024, 9, 25), max: Date.UTC(2024, 10, 5) }),
        }),
        { maxLength: 40 },
      ),
    );
    fc.assert(
      fc.property(alike, (questions) => {
        for (const { window, atMs } of questions) {
          expect(periodAt(window, atMs)).to.deep.equal(computePeriod(window, atMs));
        }
      }),
    );
  });

  it("takes a microsecond before midnight for the day before", () => {
    const window: BudgetWindow = { kind: "DAY", timeZone: "Asia/Kathmandu" };
    const midnightMs = Date.parse("2026-01-01T18:15:00Z");
    for (const atMs of [midnightMs - 0.001, midnightMs - 1, midnightMs - 0.999]) {
      expect(periodAt({ ...window }, atMs).endMs).to.equal(midnightMs);
    }
    expect(periodAt(window, midnightMs + 0.001).startMs).to.equal(midnightMs);
    expect(
      periodAt({ ...window, kind: "EVERY_N_DAYS", days: 1, anchorMs: 0.5 }, 0.5).startMs,
    ).to.equal(Date.parse("1969-12-31T18:30:00Z"));
  });

  it("tells apart windows that differ in one thing only", () => {
    const atMs = Date.parse("2026-03-18T12:00:00Z");
    const window = {
      kind: "EVERY_N_DAYS",
      timeZone: "Europe/Berlin",
      days: 30,
      anchorMs: atMs,
    } as const;
    for (const other of [
      { ...window, kind: "MONTH" as const },
      { ...window, timeZone: "Asia/Tokyo" },
      { ...window, days: 31 },
      { ...window, anchorMs: atMs - 24 * HOUR_MS },
    ]) {
      expect(periodAt(other, atMs)).not.to.deep.equal(periodAt(window, atMs));
    }
  });

  it("reaches from the year 1 to the year 9999", () => {
    const [first, last] = [Date.parse("0001-01-01T00:00Z"), Date.parse("9999-12-31T23:59:59.999Z")];
    for (const timeZone of ZONES) {
      for (const [atMs, anchorMs] of [
        [first, last],
        [last, first],
      ] as const) {
        const { startMs, endMs } = periodAt(
          { kind: "EVERY_N_DAYS", timeZone, days: 3_660, anchorMs },
          atMs,
        );
        expect(startMs).to.be.at.most(atMs);
        expect(endMs).to.be.above(atMs);
      }
    }
  });

  it("stays right when it has been asked about more days than it remembers", () => {
    const window: BudgetWindow = { kind: "DAY", timeZone: "Europe/Berlin" };
    const firstMs = Date.UTC(2000, 0, 1, 12);
    const days = Array.from({ length: 9_000 }, (_, day) => firstMs + day * 24 * HOUR_MS);
    const asked = days.map((atMs) => periodAt(window, atMs).startMs);
    expect(days.map((atMs) => periodAt({ ...window }, atMs).startMs)).to.deep.equal(asked);
    expect(new Set(asked)).to.have.lengthOf(9_000);
  });

  it("refuses windows that are none", () => {
    const atMs = Date.UTC(2026, 0);
    for (const [window, message] of [
      [{ kind: "DAY", timeZone: "Europe/Nowhere" }, /time zone/i],
      [{ kind: "EVERY_N_DAYS", timeZone: "UTC", anchorMs: 0 }, "days: must be at least 1"],
      [{ kind: "EVERY_N_DAYS", timeZone: "UTC", anchorMs: 0, days: 0 }, "days: must be at least 1"],
      [{ kind: "EVERY_N_DAYS", timeZone: "UTC", days: 30 }, "anchorMs: is required"],
    ] as const) {
      expect(() => periodAt(window, atMs)).to.throw(RangeError, message);
    }
  });
});
