import { expect } from "chai";
import { historyCallers } from "../../../src/traffic/history/callers.js";
import { historicRequests } from "../../../src/traffic/history/requests.js";

const SPAN = { endMs: Date.parse("2026-05-01T00:00:00Z"), days: 10 };

function make(requests: number, seed = 1, users = 50) {
  return [...historicRequests({ ...SPAN, requests, seed, callers: historyCallers(users, seed) })];
}

describe("historicRequests", () => {
  it("makes as many as are wanted, in the order of their arrival, with ids of their own", () => {
    const requests = make(5_000);
    expect(requests).to.have.length(5_000);
    expect(new Set(requests.map(({ requestId }) => requestId)).size).to.equal(5_000);
    const times = requests.map(({ createTimeMs }) => createTimeMs);
    expect(times).to.deep.equal([...times].sort((a, b) => a - b));
  });

  it("makes the same for the same seed only", () => {
    expect(make(300)).to.deep.equal(make(300));
    expect(make(300)).to.not.deep.equal(make(300, 2));
  });

  it("reads from the cache only what was sent within five minutes before", () => {
    const lastMs = new Map<string, number>();
    let hits = 0;
    for (const request of make(20_000)) {
      const key = `${request.userId} ${request.model}`;
      if (request.cacheReadInputTokens > 0) {
        hits += 1;
        expect(request.createTimeMs - lastMs.get(key)!).to.be.at.most(300_000);
      }
      if (request.statusCode === 200) lastMs.set(key, request.createTimeMs);
    }
    expect(hits).to.be.above(2_000);
  });

  it("has somebody alone in it as well", () => {
    expect(make(20, 1, 1).every(({ userId }) => userId === "user-0001")).to.equal(true);
  });
});
