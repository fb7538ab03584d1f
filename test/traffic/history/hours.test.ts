import { expect } from "chai";
import fc from "fast-check";
import { busyHours } from "../../../src/traffic/history/hours.js";

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;

describe("busyHours", () => {
  it("adds up to the requests, within the span, in order", () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 50_000 }),
        fc.integer({ min: 1, max: 90 }),
        fc.integer({ min: 11_000, max: 21_000 }),
        (requests, days, endDay) => {
          const endMs = endDay * DAY_MS;
          const hours = [...busyHours({ endMs, days, requests })];
          expect(hours.reduce((sum, hour) => sum + hour.requests, 0)).to.equal(requests);
          let lastMs = endMs - days * DAY_MS - HOUR_MS;
          for (const { startMs, requests: some } of hours) {
            expect(startMs).to.be.above(lastMs).and.to.be.below(endMs);
            expect(startMs % HOUR_MS).to.equal(0);
            expect(some).to.be.above(0);
            lastMs = startMs;
          }
        },
      ),
    );
  });

  it("is busier by day than by night, on workdays than on Sundays, and at the end", () => {
    const endMs = Date.parse("2026-11-02T00:00:00Z");
    const hours = [...busyHours({ endMs, days: 364, requests: 2_000_000 })];
    const sumOf = (isWanted: (time: Date) => boolean) =>
      hours
        .filter(({ startMs }) => isWanted(new Date(startMs)))
        .reduce((sum, { requests }) => sum + requests, 0);
    expect(sumOf((time) => time.getUTCHours() === 14)).to.be.above(
      5 * sumOf((time) => time.getUTCHours() === 3),
    );
    expect(sumOf((time) => time.getUTCDay() === 2)).to.be.above(
      2 * sumOf((time) => time.getUTCDay() === 0),
    );
    expect(sumOf((time) => time.getUTCFullYear() === 2026)).to.be.above(1_600_000);
  });
});
