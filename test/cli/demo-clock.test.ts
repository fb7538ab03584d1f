import { expect } from "chai";
import { createDemoClock } from "../../src/cli/demo-clock.js";
import { DEMO_CALLERS } from "../../src/traffic/demo-callers.js";
import { generateTraffic } from "../../src/traffic/generator.js";

const PLANNED = [
  ...generateTraffic({
    seed: 1,
    count: 100,
    callers: DEMO_CALLERS,
    meanGapMs: 60_000,
    idPrefix: "r",
  }),
];

describe("createDemoClock", () => {
  it("keeps the planned gaps and ends now", () => {
    const nowMs = Date.parse("2026-03-15T12:00:00Z");
    const times = PLANNED.map(createDemoClock(PLANNED, nowMs));
    expect(times.at(-1)).to.equal(nowMs);
    const spanMs = PLANNED.at(-1)!.offsetMs;
    expect(times[0]).to.equal(nowMs - spanMs);
    times.forEach((time, index) => {
      expect(time - times[0]!).to.be.closeTo(PLANNED[index]!.offsetMs, 1);
    });
  });

  it("moves requests together at the start of a month, so that all lie in it", () => {
    const nowMs = Date.parse("2026-03-01T00:00:10Z");
    const times = PLANNED.map(createDemoClock(PLANNED, nowMs));
    expect(times[0]).to.equal(Date.parse("2026-03-01T00:00:00Z"));
    expect(times.at(-1)).to.equal(nowMs);
    expect([...times].sort((a, b) => a - b)).to.deep.equal(times);
  });

  it("places a single request now", () => {
    const [single] = PLANNED;
    expect(createDemoClock([single!], 5_000_000)(single!)).to.equal(5_000_000);
  });
});
