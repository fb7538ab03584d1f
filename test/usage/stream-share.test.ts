import { expect } from "chai";
import { createStreamShares } from "../../src/usage/stream-share.js";

const MiB = 1024 * 1024;

describe("createStreamShares", () => {
  it("lets a lone stream fill the batches", () => {
    const { limits } = createStreamShares().join();
    expect([limits.items(), limits.bytes()]).to.deep.equal([1_024, 16 * MiB]);
  });

  it("makes every share smaller when streams come, and larger when they leave", () => {
    const shares = createStreamShares();
    const streams = Array.from({ length: 64 }, () => shares.join());
    const { limits } = streams[0]!;
    expect([limits.items(), limits.bytes()]).to.deep.equal([256, MiB]);
    for (const { leave } of streams.slice(1)) leave();
    expect(limits.items()).to.equal(1_024);
  });

  it("leaves each of very many streams enough to share commits", () => {
    const shares = createStreamShares();
    const streams = Array.from({ length: 10_000 }, () => shares.join());
    expect(streams[0]!.limits.items()).to.equal(16);
  });
});
