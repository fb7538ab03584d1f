import { expect } from "chai";
import { DEMO_CALLERS } from "../../src/traffic/demo-callers.js";
import { driveTraffic } from "../../src/traffic/driver.js";
import { generateTraffic } from "../../src/traffic/generator.js";
import type { PlannedRequest } from "../../src/traffic/planned-request.js";
import { rejection } from "./temp-file.js";

const REQUESTS = [
  ...generateTraffic({ seed: 1, count: 50, callers: DEMO_CALLERS, meanGapMs: 10, idPrefix: "r" }),
];
const NEVER = new AbortController().signal;
const nextTick = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("driveTraffic", () => {
  it("sends every request once, and never more at once than allowed", async () => {
    const sent: string[] = [];
    let underWay = 0;
    let most = 0;
    await driveTraffic(REQUESTS, {
      concurrency: 7,
      speed: Number.POSITIVE_INFINITY,
      signal: NEVER,
      async send({ requestId }) {
        underWay += 1;
        most = Math.max(most, underWay);
        await nextTick();
        underWay -= 1;
        sent.push(requestId);
      },
    });
    expect(sent.sort()).to.deep.equal(REQUESTS.map(({ requestId }) => requestId).sort());
    expect(most).to.equal(7);
    expect(underWay).to.equal(0);
  });

  it("sends the requests of a lane one after the other, in order", async () => {
    const busy = new Set<string>();
    const order = new Map<string, string[]>();
    await driveTraffic(REQUESTS, {
      concurrency: 64,
      speed: Number.POSITIVE_INFINITY,
      signal: NEVER,
      laneOf: ({ provider }) => provider,
      async send({ provider, requestId }) {
        expect(busy.has(provider)).to.equal(false);
        busy.add(provider);
        await nextTick();
        busy.delete(provider);
        order.set(provider, [...(order.get(provider) ?? []), requestId]);
      },
    });
    for (const [provider, ids] of order) {
      const planned = REQUESTS.filter((request) => request.provider === provider);
      expect(ids).to.deep.equal(planned.map(({ requestId }) => requestId));
    }
    expect(order.size).to.equal(3);
  });

  it("sends no request before its time", async () => {
    const startedMs = performance.now();
    const early: number[] = [];
    await driveTraffic(REQUESTS, {
      concurrency: 64,
      speed: 10,
      signal: NEVER,
      async send({ offsetMs }) {
        const aheadMs = offsetMs / 10 - (performance.now() - startedMs);
        if (aheadMs > 2) early.push(aheadMs);
      },
    });
    expect(early).to.deep.equal([]);
    expect(performance.now() - startedMs).to.be.at.least(REQUESTS.at(-1)!.offsetMs / 10 - 2);
  });

  it("throws the first error, once everything under way has ended", async () => {
    let underWay = 0;
    const sent: string[] = [];
    const error = await rejection(
      driveTraffic(REQUESTS, {
        concurrency: 5,
        speed: Number.POSITIVE_INFINITY,
        signal: NEVER,
        async send({ requestId }) {
          underWay += 1;
          await nextTick();
          underWay -= 1;
          sent.push(requestId);
          if (sent.length >= 8) throw new Error(`failed at ${sent.length}`);
        },
      }),
    );
    expect(error.message).to.equal("failed at 8");
    expect(underWay).to.equal(0);
    expect(sent.length).to.be.below(20);
  });

  it("throws what the plan throws", async () => {
    async function* broken(): AsyncGenerator<PlannedRequest> {
      yield REQUESTS[0]!;
      throw new Error("line 2 is bad");
    }
    let sent = 0;
    const error = await rejection(
      driveTraffic(broken(), {
        concurrency: 5,
        speed: Number.POSITIVE_INFINITY,
        signal: NEVER,
        send: async () => {
          sent += 1;
        },
      }),
    );
    expect(error.message).to.equal("line 2 is bad");
    expect(sent).to.equal(1);
  });

  it("stops when it is told to, even while it waits for the next request", async () => {
    const stop = new AbortController();
    const late = REQUESTS.map((request, index) => ({ ...request, offsetMs: index * 3_600_000 }));
    const sent: string[] = [];
    await driveTraffic(late, {
      concurrency: 5,
      speed: 1,
      signal: stop.signal,
      async send({ requestId }) {
        sent.push(requestId);
        setImmediate(() => stop.abort());
      },
    });
    expect(sent).to.deep.equal([late[0]!.requestId]);
  });
});
