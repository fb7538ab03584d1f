import { expect } from "chai";
import { endWindow, isActive, noDemand, noteDemand, targetOf } from "../../src/quota/demand.js";

describe("demand", () => {
  function demandOf(...windows: readonly (readonly [count: number, each: bigint, ms: number])[]) {
    const demand = noDemand();
    for (const [count, each, ms] of windows) {
      for (let made = 0; made < count; made += 1) noteDemand(demand, each);
      endWindow(demand, ms);
    }
    return demand;
  }

  it("keeps two seconds' worth of what is asked", () => {
    expect(targetOf(demandOf([10, 7n, 1_000]))).to.equal(140n);
  });

  it("keeps nothing for a lease that is asked fewer than 8 times a second", () => {
    expect(targetOf(demandOf([7, 7n, 1_000]))).to.equal(0n);
    expect(targetOf(demandOf([8, 7n, 1_000]))).to.equal(112n);
    expect(targetOf(demandOf([8, 7n, 1_001]))).to.equal(0n);
  });

  it("knows nothing of a burst that has not lasted a window", () => {
    const demand = noDemand();
    for (let made = 0; made < 1_000; made += 1) noteDemand(demand, 1n);
    expect(targetOf(demand)).to.equal(0n);
  });

  it("goes by the second, however long the window was", () => {
    expect(targetOf(demandOf([100, 10n, 10_000]))).to.equal(200n);
    expect(targetOf(demandOf([10, 10n, 500]))).to.equal(400n);
  });

  it("outlasts one quiet second, and not two", () => {
    const quiet = [0, 0n, 1_000] as const;
    expect(targetOf(demandOf([10, 7n, 1_000], quiet))).to.equal(140n);
    expect(targetOf(demandOf([10, 7n, 1_000], quiet, quiet))).to.equal(0n);
    expect(isActive(demandOf([10, 7n, 1_000], quiet))).to.equal(false);
    expect(isActive(demandOf(quiet, [1, 7n, 1_000]))).to.equal(true);
  });
});
