import { expect } from "chai";
import { createCircuitBreaker } from "../../src/cache/circuit-breaker.js";
import { createCommandGuard } from "../../src/cache/command-guard.js";

function createTestBreaker() {
  const clock = { nowMs: 0 };
  const changes: boolean[] = [];
  const breaker = createCircuitBreaker({
    nowMs: () => clock.nowMs,
    random: () => 0,
    pause: { baseMs: 200, maxMs: 400 },
    onChange: (isOpen) => changes.push(isOpen),
  });
  function fail(times: number): void {
    for (let time = 0; time < times; time += 1) breaker.enter()?.("failed");
  }
  return { breaker, clock, changes, fail };
}

describe("createCircuitBreaker", () => {
  it("opens after three failures in a row, and not before", () => {
    const { breaker, changes, fail } = createTestBreaker();
    fail(2);
    breaker.enter()?.("succeeded");
    fail(2);
    expect(breaker.enter()).not.to.equal(undefined);
    fail(1);
    expect(breaker.enter()).to.equal(undefined);
    expect(changes).to.deep.equal([true]);
  });

  it("lets one try after the pause, and all when that one succeeds", () => {
    const { breaker, clock, changes, fail } = createTestBreaker();
    fail(3);
    clock.nowMs = 99;
    expect(breaker.enter()).to.equal(undefined);
    clock.nowMs = 100;
    const probe = breaker.enter();
    expect(breaker.enter()).to.equal(undefined);
    probe?.("succeeded");
    expect(changes).to.deep.equal([true, false]);
    fail(2);
    expect(breaker.enter()).not.to.equal(undefined);
  });

  it("pauses for longer each time that the try fails", () => {
    const { breaker, clock, changes, fail } = createTestBreaker();
    fail(3);
    clock.nowMs = 100;
    fail(1);
    clock.nowMs = 299;
    expect(breaker.enter()).to.equal(undefined);
    clock.nowMs = 300;
    expect(breaker.enter()).not.to.equal(undefined);
    expect(changes).to.deep.equal([true]);
  });

  it("heeds no call that was under way when it opened", () => {
    const { breaker, fail } = createTestBreaker();
    const late = breaker.enter();
    fail(3);
    late?.("succeeded");
    expect(breaker.enter()).to.equal(undefined);
  });
});

describe("createCommandGuard", () => {
  const silence = () => new Promise<never>(() => undefined);

  it("sends nothing more while too much is without an answer", async () => {
    const { breaker } = createTestBreaker();
    const guard = createCommandGuard({ breaker, timeoutMs: 1, maxPending: 2 });
    const outcomes = await Promise.allSettled([guard.run(silence), guard.run(silence)]);
    expect(outcomes.map(({ status }) => status)).to.deep.equal(["rejected", "rejected"]);
    let isSent = false;
    const third = guard.run(async () => {
      isSent = true;
    });
    await third.catch((error: Error) => expect(error.name).to.equal("CacheAwayError"));
    expect(isSent).to.equal(false);
  });
});
