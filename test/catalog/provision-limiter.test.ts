import { expect } from "chai";
import fc from "fast-check";
import { createProvisionLimiter } from "../../src/catalog/provision-limiter.js";

describe("createProvisionLimiter", () => {
  it("lets a minute's share through at once, then one after the other", () => {
    let nowMs = 5;
    const limiter = createProvisionLimiter(() => nowMs);
    for (const n of [1, 2, 3]) expect(limiter.take(3), `${n}`).to.equal(0);
    expect(limiter.take(3)).to.equal(20_000);
    nowMs += 19_999;
    expect(limiter.take(3)).to.equal(1);
    nowMs += 1;
    expect(limiter.take(3)).to.equal(0);
    expect(limiter.take(3)).to.equal(20_000);
    nowMs += 600_000;
    for (const n of [1, 2, 3]) expect(limiter.take(3), `later ${n}`).to.equal(0);
    expect(limiter.take(3)).to.be.greaterThan(0);
  });

  it("never lets more than two shares through in any minute, and heeds the time it tells", () => {
    const pauses = fc.array(fc.nat({ max: 30_000 }), { maxLength: 60 });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), pauses, (maxPerMinute, waits) => {
        let nowMs = 0;
        const limiter = createProvisionLimiter(() => nowMs);
        const taken: number[] = [];
        for (const wait of waits) {
          nowMs += wait;
          const retryAfterMs = limiter.take(maxPerMinute);
          if (retryAfterMs > 0) {
            nowMs += retryAfterMs;
            expect(limiter.take(maxPerMinute)).to.equal(0);
          }
          taken.push(nowMs);
        }
        for (const start of taken) {
          const within = taken.filter((at) => at >= start && at < start + 60_000);
          expect(within.length).to.be.at.most(2 * maxPerMinute);
        }
      }),
    );
  });
});
