import { expect } from "chai";
import { createArrivals } from "../../src/traffic/arrivals.js";
import { createConversation, MAX_CONTEXT_TOKENS } from "../../src/traffic/conversation.js";
import { DEMO_CALLERS, demoLaneOf } from "../../src/traffic/demo-callers.js";
import { generateTraffic } from "../../src/traffic/generator.js";
import { createPrng } from "../../src/traffic/prng.js";

const OPTIONS = {
  seed: 1,
  count: 3_000,
  callers: DEMO_CALLERS,
  meanGapMs: 1_000,
  idPrefix: "demo",
};

describe("generateTraffic", () => {
  const requests = [...generateTraffic(OPTIONS)];
  const shareOf = (test: (request: (typeof requests)[number]) => boolean) =>
    requests.filter(test).length / requests.length;

  it("repeats itself for the same seed, and for no other", () => {
    expect([...generateTraffic(OPTIONS)]).to.deep.equal(requests);
    expect([...generateTraffic({ ...OPTIONS, seed: 2 })]).not.to.deep.equal(requests);
  });

  it("makes as many requests as wanted, each with its own id", () => {
    expect(new Set(requests.map(({ requestId }) => requestId)).size).to.equal(3_000);
    expect([...generateTraffic({ ...OPTIONS, count: 0 })]).to.deep.equal([]);
  });

  it("splits every prompt that was counted into parts that add up", () => {
    for (const request of requests.filter(({ statusCode }) => statusCode === 200)) {
      const { inputTokens, cacheCreationInputTokens, cacheReadInputTokens } = request;
      const sum = inputTokens + cacheCreationInputTokens + cacheReadInputTokens;
      expect(sum, request.requestId).to.equal(request.promptTokens);
      expect(request.outputTokens).to.be.within(1, request.maxOutputTokens);
      expect(request.responseTimeMs).to.be.at.least(request.firstByteTimeMs!);
    }
  });

  it("fails one or two in a hundred, with a message and without output", () => {
    expect(shareOf(({ statusCode }) => statusCode >= 400)).to.be.within(0.01, 0.02);
    for (const { statusCode, errorMessage, outputTokens } of requests) {
      expect(errorMessage !== undefined).to.equal(statusCode >= 400);
      if (statusCode >= 400) expect(outputTokens).to.equal(0);
    }
  });

  it("reads the shared prompt from the cache nearly always, and more within conversations", () => {
    expect(shareOf(({ cacheReadInputTokens }) => cacheReadInputTokens >= 512)).to.be.above(0.9);
    expect(shareOf(({ cacheReadInputTokens }) => cacheReadInputTokens > 2_048)).to.be.above(0.3);
  });

  it("lets a few callers send most, and everybody something", () => {
    const byUser = new Map<string, number>();
    for (const { userId } of requests) byUser.set(userId, (byUser.get(userId) ?? 0) + 1);
    const counts = [...byUser.values()].sort((a, b) => b - a);
    const heaviest = counts.slice(0, 8).reduce((sum, count) => sum + count);
    expect(heaviest).to.be.above(1_200);
    expect(counts).to.have.length(new Set(DEMO_CALLERS.map(({ userId }) => userId)).size);
  });

  it("abandons requests of those callers only that may", () => {
    const mayAbandon = new Map(
      DEMO_CALLERS.map(({ apiKeyIds, abandons }) => [apiKeyIds[0], abandons]),
    );
    const abandoned = requests.filter(({ isAbandoned }) => isAbandoned);
    expect(abandoned.length).to.be.within(10, 90);
    for (const { apiKeyId } of abandoned) expect(mayAbandon.get(apiKeyId)).not.to.equal(false);
  });

  it("keeps the requests that share a tight budget in one lane", () => {
    const lanes = new Set(
      requests.filter(({ tags }) => tags.team === "research").map((request) => demoLaneOf(request)),
    );
    expect([...lanes]).to.deep.equal(["research"]);
    const prepaid = requests.filter(({ tags }) => tags.team === "partners");
    for (const request of prepaid) expect(demoLaneOf(request)).to.equal(request.apiKeyId);
  });
});

describe("createConversation", () => {
  it("sends everything said before again, in the same blocks", () => {
    let lastId = 9;
    const conversation = createConversation(createPrng(1), [0, 1], () => ++lastId);
    let previous = conversation.next();
    expect(previous.blockIds.slice(0, 2)).to.deep.equal([0, 1]);
    while (!conversation.isOver()) {
      const turn = conversation.next();
      const kept = Math.floor(previous.promptTokens / 512);
      expect(turn.promptTokens).to.be.above(previous.promptTokens);
      expect(turn.blockIds.slice(0, kept)).to.deep.equal(previous.blockIds.slice(0, kept));
      expect(turn.blockIds).to.have.length(Math.ceil(turn.promptTokens / 512));
      previous = turn;
    }
    expect(previous.promptTokens).to.be.at.most(MAX_CONTEXT_TOKENS);
  });
});

describe("createArrivals", () => {
  it("starts at 0, never goes back, and falls into bursts", () => {
    const arrive = createArrivals(createPrng(1), 1_000);
    const times = Array.from({ length: 5_000 }, arrive);
    expect(times[0]).to.equal(0);
    const gaps = times.slice(1).map((time, index) => time - times[index]!);
    expect(Math.min(...gaps)).to.be.at.least(0);
    // Of a Poisson process alone, 5 % of the gaps are below a twentieth of the mean.
    const short = gaps.filter((gap) => gap < 50).length / gaps.length;
    expect(short).to.be.within(0.1, 0.5);
  });
});
