import { expect } from "chai";
import type { LatencyFigures, UsageFigures } from "../../gen/tally/v1/analytics_pb.js";
import type { PlainFigures, PlainLatency } from "./history.js";

/** The figures that must be exact, by the names that plain SQL gives them. */
export function exactOf(figures: UsageFigures | undefined): Record<string, bigint | undefined> {
  const cost = figures?.cost;
  return {
    requests: figures?.requests,
    failures: figures?.failures,
    attempts: figures?.attempts,
    failedAttempts: figures?.failedAttempts,
    inputTokens: figures?.inputTokens,
    outputTokens: figures?.outputTokens,
    cacheCreationInputTokens: figures?.cacheCreationInputTokens,
    cacheReadInputTokens: figures?.cacheReadInputTokens,
    inputNanoUsd: cost?.inputNanoUsd,
    outputNanoUsd: cost?.outputNanoUsd,
    cacheCreationNanoUsd: cost?.cacheCreationNanoUsd,
    cacheReadNanoUsd: cost?.cacheReadNanoUsd,
    requestNanoUsd: cost?.requestNanoUsd,
    actualCostNanoUsd: figures?.actualCostNanoUsd,
  };
}

/** Counts, tokens and money exactly; percentiles within 2 %. */
export function expectFigures(found: UsageFigures | undefined, plain: PlainFigures): void {
  expect(exactOf(found)).to.deep.equal(plain.exact);
  const { exact } = plain;
  const sum = (...names: string[]) =>
    names.reduce((total, name) => total + (exact[name] ?? 0n), 0n);
  expect(found?.totalTokens).to.equal(
    sum("inputTokens", "outputTokens", "cacheCreationInputTokens", "cacheReadInputTokens"),
  );
  expect(found?.cost?.cacheNanoUsd).to.equal(sum("cacheCreationNanoUsd", "cacheReadNanoUsd"));
  expect(found?.cost?.totalNanoUsd).to.equal(
    sum(
      "inputNanoUsd",
      "outputNanoUsd",
      "cacheCreationNanoUsd",
      "cacheReadNanoUsd",
      "requestNanoUsd",
    ),
  );
  expectLatency(found?.responseTime, plain.responseTime);
  expectLatency(found?.firstByteTime, plain.firstByteTime);
}

function expectLatency(found: LatencyFigures | undefined, plain: PlainLatency | undefined): void {
  expect(found?.count).to.equal(plain?.count);
  if (!found || !plain) return;
  expect(found.averageMs).to.be.closeTo(plain.averageMs, plain.averageMs * 1e-9);
  [found.p50Ms, found.p95Ms, found.p99Ms].forEach((ms, index) => {
    const exact = plain.percentilesMs[index] ?? Number.NaN;
    expect(ms).to.be.closeTo(exact, exact * 0.02 * (1 + 1e-9));
  });
}
