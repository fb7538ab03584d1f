import { expect } from "chai";
import { computePeriod } from "../../src/quota/calendar.js";
import { isValidTimeZone } from "../../src/quota/time-zone.js";

describe("isValidTimeZone", () => {
  it("knows every zone, and each of them has days", () => {
    for (const timeZone of ["UTC", "GMT", "EST", "US/Pacific", "Etc/GMT+5", "europe/berlin"]) {
      expect(isValidTimeZone(timeZone), timeZone).to.equal(true);
      expect(computePeriod({ kind: "DAY", timeZone }, 0).endMs, timeZone).to.be.above(0);
    }
    for (const timeZone of Intl.supportedValuesOf("timeZone")) {
      expect(isValidTimeZone(timeZone), timeZone).to.equal(true);
    }
  });

  it("refuses everything else", () => {
    for (const text of [
      "",
      " ",
      "Europe/Nowhere",
      "+02:00",
      "-0530",
      "UTC+2",
      "Europe/Berlin ",
      "2026-01-01T00:00Z[Europe/Berlin]",
      "UTC\0",
      "\ud800",
      "Z",
      "A".repeat(1_000_000),
    ]) {
      expect(isValidTimeZone(text), text.slice(0, 40)).to.equal(false);
    }
  });
});
