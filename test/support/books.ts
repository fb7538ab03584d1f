import { expect } from "chai";
import type { TestApp } from "./app.js";

/** Every sum that Tally keeps is what its records add up to, to the nano-USD; how many that are. */
export async function expectBalancedBooks({
  clients,
}: Pick<TestApp, "clients">): Promise<{ readonly records: bigint }> {
  const { drifts, driftCount, records } = await clients.operations.verifyLedger({});
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
  return { records };
}
