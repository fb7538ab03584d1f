import { expect } from "chai";
import { createWarnLimiter } from "../../src/pricing/warn-limiter.js";

describe("createWarnLimiter", () => {
  function limiterAt(options: { intervalMs?: number; maxKeys?: number } = {}) {
    const clock = { ms: 0 };
    return { clock, limiter: createWarnLimiter({ nowMs: () => clock.ms, ...options }) };
  }

  it("lets one warning a minute pass for each key", () => {
    const { clock, limiter } = limiterAt();
    expect(limiter.shouldWarn("a")).to.equal(true);
    expect(limiter.shouldWarn("b")).to.equal(true);
    clock.ms = 59_999;
    expect(limiter.shouldWarn("a")).to.equal(false);
    clock.ms = 60_000;
    expect(limiter.shouldWarn("a")).to.equal(true);
    clock.ms = 119_999;
    expect(limiter.shouldWarn("a")).to.equal(false);
  });

  it("heeds its own interval", () => {
    const { clock, limiter } = limiterAt({ intervalMs: 10 });
    limiter.shouldWarn("a");
    clock.ms = 10;
    expect(limiter.shouldWarn("a")).to.equal(true);
  });

  it("forgets the oldest warning when it remembers too many", () => {
    const { clock, limiter } = limiterAt({ maxKeys: 2 });
    limiter.shouldWarn("a");
    limiter.shouldWarn("b");
    clock.ms = 60_000;
    limiter.shouldWarn("a");
    limiter.shouldWarn("c");
    expect(limiter.shouldWarn("a")).to.equal(false);
    expect(limiter.shouldWarn("c")).to.equal(false);
    expect(limiter.shouldWarn("b")).to.equal(true);
    expect(limiter.shouldWarn("a")).to.equal(true);
  });

  it("counts a repeated warning as a new one when it forgets", () => {
    const { clock, limiter } = limiterAt({ maxKeys: 3 });
    limiter.shouldWarn("a");
    limiter.shouldWarn("b");
    clock.ms = 60_000;
    for (const key of ["a", "c", "d"]) limiter.shouldWarn(key);
    expect(limiter.shouldWarn("a")).to.equal(false);
    expect(limiter.shouldWarn("b")).to.equal(true);
  });
});
