import { expect } from "chai";
import type { TestApp } from "./app.js";

/** Every sum that Tally keeps is what its records add up to, to the nano-USD. */
export async function expectBalancedBooks({ clients }: TestApp): Promise<void> {
  const { drifts, driftCount } = await clients.operations.verifyLedger({});
  expect(
    drifts.map(({ check, subject, figure, stored, recomputed }) => ({
      check,
      subject,
      figure,
      stored,
      recomputed,
    })),
  ).to.deep.equal([]);
  expect(driftCount).to.equal(0n);
}
