import { expect } from "chai";
import { recordAll, sampleRecords } from "../../operations/ledger-fixture.js";
import { startTestApp, type TestApp } from "../../support/app.js";
import { eventually } from "../../support/eventually.js";
import {
  type SlowProxy,
  startSlowProxy,
  startTestRedis,
  type TestRedis,
} from "../../support/redis.js";

const NOW_MS = Date.UTC(2026, 1, 3, 12);
const QUESTIONS = ["", "u1", "u2", "__proto__"].flatMap((userId) =>
  ["UTC", "Asia/Kathmandu"].map((timeZone) => ({ userId, timeZone, windowDays: 60 })),
);
const CALLERS = 8;

describe("GetDailyActivity under load", () => {
  let redis: TestRedis;
  let proxy: SlowProxy;
  let app: TestApp;
  let answers: unknown[];
  before(async () => {
    redis = await startTestRedis();
    proxy = await startSlowProxy(redis.port);
    app = await startTestApp({
      env: { REDIS_URL: `redis://127.0.0.1:${proxy.port}` },
      nowMs: () => NOW_MS,
    });
    await recordAll(app.database, sampleRecords(60, 7));
    answers = await Promise.all(QUESTIONS.map(ask));
  });
  after(async () => {
    await app.stop();
    await proxy.stop();
    await redis.stop();
  });

  async function ask(question: (typeof QUESTIONS)[number]) {
    return app.clients.analytics.getDailyActivity(question);
  }

  /** Calls without pause while something is done to Redis; every answer must be there and right. */
  async function load(disturb: () => Promise<unknown>): Promise<{ calls: number; slow: number }> {
    let isOver = false;
    let calls = 0;
    let slow = 0;
    const callers = Array.from({ length: CALLERS }, async (_, caller) => {
      for (let turn = caller; !isOver; turn += 1) {
        const index = turn % QUESTIONS.length;
        const startMs = performance.now();
        const answer = await ask(QUESTIONS[index]!);
        if (performance.now() - startMs > 1_000) slow += 1;
        calls += 1;
        expect(answer).to.deep.equal(answers[index]);
      }
    });
    try {
      await disturb();
      const seen = calls;
      await eventually("calls go on", () => calls > seen + CALLERS * 5);
    } finally {
      isOver = true;
      await Promise.all(callers);
    }
    return { calls, slow };
  }

  function cachesAgain() {
    return eventually(
      "answers are cached again",
      async () => {
        await redis.client.flushall();
        await Promise.all(QUESTIONS.map(ask));
        return (await redis.client.dbsize()) === QUESTIONS.length;
      },
      20_000,
    );
  }

  it("goes on when Redis is killed, and caches again when it is back", async () => {
    await load(() => redis.kill());
    await load(() => redis.restart());
    await cachesAgain();
  });

  it("goes on when Redis is flushed", async () => {
    await load(() => redis.client.flushall());
    await cachesAgain();
  });

  it("goes on, and is not slow, when Redis takes 2 seconds for each answer", async () => {
    proxy.delayMs = 2_000;
    const { slow } = await load(() => Promise.all(QUESTIONS.map(ask)));
    expect(slow).to.equal(0);
    proxy.delayMs = 0;
    await cachesAgain();
  });

  it("goes on when Redis stops answering at all", async () => {
    const { slow } = await load(() => redis.client.call("CLIENT", "PAUSE", "500", "ALL"));
    expect(slow).to.equal(0);
    await cachesAgain();
  });

  it("goes on when Redis is filled with garbage", async () => {
    await cachesAgain();
    const keys = await redis.client.keys("activity_heatmap:*");
    const garbage = ["", "{}", "\0\xff\xfe", '{"format":1}', "x".repeat(2_000_000)];
    await load(async () => {
      for (let round = 0; round < 20; round += 1) {
        for (const [index, key] of keys.entries()) {
          await redis.client.set(key, garbage[(round + index) % garbage.length] ?? "");
        }
        const key = keys[0] ?? "";
        await redis.client.multi().del(key).sadd(key, "a set").exec();
      }
    });
    await cachesAgain();
  });
});
