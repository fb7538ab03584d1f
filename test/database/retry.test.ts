import { expect } from "chai";
import fc from "fast-check";
import { backoffDelayMs } from "../../src/backoff.js";
import { withRetry } from "../../src/database/retry.js";

function failWith(code: string): Error {
  return Object.assign(new Error(`failed with ${code}`), { code });
}

describe("backoffDelayMs", () => {
  it("stays between half of the doubled base and all of it, and below the maximum", () => {
    const policy = fc.record({
      baseMs: fc.integer({ min: 1, max: 1_000 }),
      maxMs: fc.integer({ min: 1_000, max: 60_000 }),
    });
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000 }), policy, random, (attempt, limits, dice) => {
        const ceilingMs = Math.min(limits.maxMs, limits.baseMs * 2 ** (attempt - 1));
        expect(backoffDelayMs(attempt, limits, dice)).to.be.within(ceilingMs / 2, ceilingMs);
      }),
    );
  });
});

describe("withRetry", () => {
  const quick = { baseMs: 1, maxMs: 1 };

  /** Work that fails so often, then succeeds. */
  function flaky(failures: number, code: string): () => Promise<string> {
    let attempts = 0;
    return async () => {
      attempts += 1;
      if (attempts <= failures) throw failWith(code);
      return `done at ${attempts}`;
    };
  }

  for (const code of ["40P01", "40001"]) {
    it(`repeats work that failed with ${code}`, async () => {
      expect(await withRetry(flaky(4, code), quick)).to.equal("done at 5");
    });
  }

  it("gives up after the attempts that it has, with the last error", async () => {
    const error = await withRetry(flaky(3, "40P01"), { ...quick, maxAttempts: 3 }).catch((e) => e);
    expect(error).to.include({ code: "40P01" });
  });

  it("does not repeat work that failed otherwise", async () => {
    const error = await withRetry(flaky(1, "23505"), quick).catch((e) => e);
    expect(error).to.include({ code: "23505" });
  });

  it("tells of each repetition before it waits", async () => {
    const told: number[] = [];
    await withRetry(flaky(2, "40001"), { ...quick, onRetry: (_, attempt) => told.push(attempt) });
    expect(told).to.deep.equal([1, 2]);
  });

  it("stops waiting when it is aborted, with the error that it waited on", async () => {
    const abort = new AbortController();
    const patient = { baseMs: 60_000, maxMs: 60_000, signal: abort.signal };
    const error = await withRetry(flaky(1, "40P01"), {
      ...patient,
      onRetry: () => abort.abort(),
    }).catch((e) => e);
    expect(error).to.include({ code: "40P01" });
  });

  it("starts nothing when it is aborted already", async () => {
    let attempts = 0;
    const work = async () => {
      attempts += 1;
    };
    const error = await withRetry(work, { signal: AbortSignal.abort() }).catch((e) => e);
    expect(error).to.include({ name: "AbortError" });
    expect(attempts).to.equal(0);
  });
});
