import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect } from "chai";
import fc from "fast-check";
import { AffinityGroupBy } from "../../../gen/tally/v1/analytics_pb.js";
import { TokenConvention, UsageStatus } from "../../../gen/tally/v1/usage_pb.js";
import { toProtoTime } from "../../../src/analytics/to-proto.js";
import { clearUsage } from "../../operations/ledger-fixture.js";
import { type DocumentInit, startTestApp, type TestApp } from "../../support/app.js";
import { rpcFailure } from "../../support/rpc-failure.js";
import { USAGE_CATALOG, type UsageInit } from "../../usage/usage-fixture.js";
import {
  expectedAffinity,
  expectedHits,
  expectedPoints,
  type PlainPoint,
  type PlainRecord,
  readRecords,
} from "./oracle.js";
import { toldAffinity, toldHits, toldPoints } from "./told.js";

const START_MS = Date.UTC(2026, 5, 1);
const NOW_MS = START_MS + 7 * 86_400_000 - 900_000;
const MINUTE_MS = 60_000;

/** Written for an hour costs twice the input, and an entry that lives longer is dear to read. */
const TTL_PRICE = {
  tiers: [
    {
      upToTokens: 50_000n,
      inputNanoUsdPerMillion: 3_000_000_001n,
      outputNanoUsdPerMillion: 15_000_000_000n,
      cacheTtlPricing: [
        { ttlMinutes: 5, cacheCreationNanoUsdPerMillion: 3_750_000_001n },
        {
          ttlMinutes: 60,
          cacheCreationNanoUsdPerMillion: 6_000_000_007n,
          cacheReadNanoUsdPerMillion: 310_000_003n,
        },
      ],
    },
    { inputNanoUsdPerMillion: 7_000_000_003n, outputNanoUsdPerMillion: 1n },
  ],
};

const CATALOG = {
  ...USAGE_CATALOG,
  users: [{ userId: "u1", username: "One", email: "one@example.com" }],
  apiKeys: [{ apiKeyId: "k1", userId: "u1", name: "Key one" }],
  prices: [...(USAGE_CATALOG.prices ?? []), { model: "opus", price: TTL_PRICE }],
} as DocumentInit;

/** Often exactly at the end of a class, or a millisecond beyond it. */
const gaps = fc.oneof(
  fc.nat({ max: 6 * MINUTE_MS }),
  fc.nat({ max: 150 * MINUTE_MS }),
  fc
    .tuple(fc.constantFrom(0, 5, 15, 30, 60, 120), fc.constantFrom(0, 1))
    .map(([minutes, more]) => minutes * MINUTE_MS + more),
);

const tokens = fc.oneof(fc.nat({ max: 60_000 }), fc.constant(0)).map(BigInt);

const requests: fc.Arbitrary<UsageInit> = fc
  .record({
    userId: fc.constantFrom("u1", "u1", "u1", "u2", "constructor", ""),
    apiKeyId: fc.constantFrom("k1", "k1", "k2", ""),
    provider: fc.constantFrom("acme", "acme", "free", "lenient"),
    model: fc.constantFrom("sonnet", "opus", "opus", "tiered", "retired", "unknown"),
    providerApiKeyId: fc.constantFrom("", "cheap"),
    apiFormat: fc.constantFrom("CLAUDE", "OPENAI"),
    status: fc.constantFrom(
      UsageStatus.COMPLETED,
      UsageStatus.COMPLETED,
      UsageStatus.COMPLETED,
      UsageStatus.FAILED,
      UsageStatus.PENDING,
    ),
    statusCode: fc.constantFrom(200, 200, 200, 500),
    inputTokens: tokens,
    cacheReadInputTokens: tokens,
    cacheCreationInputTokens: tokens,
    ttl: fc.constantFrom(undefined, undefined, 5, 10, 60, 600),
    split: fc.boolean(),
  })
  .map(({ ttl, split, cacheCreationInputTokens: written, ...rest }) => ({
    ...rest,
    outputTokens: 10n,
    cacheCreationInputTokens: written,
    tokenConvention: TokenConvention.CACHE_EXCLUSIVE,
    ...(ttl !== undefined && { cacheTtlMinutes: ttl }),
    ...(split &&
      written > 1n && {
        cacheCreations: [
          { ttlMinutes: 5, tokens: written / 3n },
          { ttlMinutes: 60, tokens: written - written / 3n },
        ],
      }),
  }));

const histories = fc.array(fc.tuple(requests, gaps), { minLength: 30, maxLength: 90 });

describe("analyses of records", () => {
  let app: TestApp;
  before(async () => {
    app = await startTestApp({ nowMs: () => NOW_MS });
    await app.apply(CATALOG);
  });
  after(() => app.stop());

  async function record(usages: readonly UsageInit[]): Promise<PlainRecord[]> {
    await clearUsage(app.database);
    for (let start = 0; start < usages.length; start += 1_000) {
      const { results } = await app.clients.recorder.batchRecordUsage({
        requests: usages.slice(start, start + 1_000).map((usage) => ({ usage })),
      });
      for (const { result } of results) expect(result.case).to.equal("response");
    }
    return readRecords(app.database);
  }

  function usagesOf(history: readonly (readonly [UsageInit, number])[]): UsageInit[] {
    let timeMs = START_MS;
    return history.map(([usage, gapMs], index) => {
      timeMs += gapMs;
      const requestId = `r${String(index).padStart(6, "0")}`;
      return { ...usage, requestId, createTime: timestampFromMs(timeMs) };
    });
  }

  async function expectAll(records: readonly PlainRecord[], filters = {}): Promise<void> {
    const { analytics } = app.clients;
    const affinity = await analytics.analyzeCacheAffinityTtl({ ...filters, limit: 1_000 });
    expect(toldAffinity(affinity)).to.deep.equal(expectedAffinity(records, "user"));
    const byKey = await analytics.analyzeCacheAffinityTtl({
      ...filters,
      limit: 1_000,
      groupBy: AffinityGroupBy.API_KEY,
    });
    expect(toldAffinity(byKey)).to.deep.equal(expectedAffinity(records, "key"));
    const hits = await analytics.getCacheHitAnalysis(filters);
    expect(toldHits(hits)).to.deep.equal(expectedHits(records));
    const points = expectedPoints(records);
    const timeline = await analytics.getIntervalTimeline({
      ...filters,
      hours: 168,
      limit: 50_000,
      includeUserInfo: true,
    });
    expect(toldPoints(timeline)).to.deep.equal(points);
    expect(timeline.totalPoints).to.equal(BigInt(points.length));
    expect(timeline.isSampled).to.equal(false);
    expect(timeline.models).to.deep.equal([...new Set(points.map(({ model }) => model))].sort());
    expect(Object.keys(timeline.users)).to.have.members([
      ...new Set(points.map(({ user }) => user)),
    ]);
  }

  it("equal what the records say one by one", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const records = await record(usagesOf(history));
        await expectAll(records);
        const of = (filters: Partial<PlainRecord>) =>
          records.filter((r) =>
            Object.entries(filters).every(([name, value]) => r[name as "user"] === value),
          );
        await expectAll(of({ user: "u1" }), { userId: "u1" });
        await expectAll(of({ key: "k1" }), { apiKeyId: "k1" });
        await expectAll(of({ provider: "acme", model: "opus" }), {
          provider: "acme",
          model: "opus",
        });
      }),
      { numRuns: 4, endOnFailure: true },
    );
  });

  it("answer the range that was asked for", async () => {
    const records = await record(usagesOf(fc.sample(histories, { numRuns: 1, seed: 5 })[0] ?? []));
    const startUs = records[10]?.timeUs ?? 0n;
    const endUs = records[25]?.timeUs ?? 0n;
    const within = records.filter(({ timeUs }) => timeUs >= startUs && timeUs < endUs);
    const range = { startTime: toProtoTime(Number(startUs)), endTime: toProtoTime(Number(endUs)) };
    const hits = await app.clients.analytics.getCacheHitAnalysis(range);
    expect(toldHits(hits)).to.deep.equal(expectedHits(within));
    expect(hits.startTime).to.deep.equal(range.startTime);
    expect(hits.endTime).to.deep.equal(range.endTime);
    const affinity = await app.clients.analytics.analyzeCacheAffinityTtl(range);
    expect(toldAffinity(affinity)).to.deep.equal(expectedAffinity(within, "user"));
    const timeline = await app.clients.analytics.getIntervalTimeline({
      ...range,
      includeUserInfo: true,
    });
    expect(toldPoints(timeline)).to.deep.equal(expectedPoints(within));
    const before = await app.clients.analytics.analyzeCacheAffinityTtl({
      endTime: toProtoTime(START_MS * 1_000),
    });
    expect(before.groups).to.deep.equal([]);
    expect(before.recommendedTtlMinutes).to.equal(5);
  });

  /** A user's requests, so many minutes apart. */
  function everyMinutes(userId: string, minutes: number, count: number): UsageInit[] {
    return Array.from({ length: count }, (_, index) => ({
      requestId: `${userId}-${String(index).padStart(4, "0")}`,
      userId,
      provider: "acme",
      model: "opus",
      inputTokens: 100n,
      cacheReadInputTokens: index === 0 || minutes > 5 ? 0n : 9_000n,
      cacheCreationInputTokens: index === 0 || minutes > 5 ? 10_000n : 1_000n,
      tokenConvention: TokenConvention.CACHE_EXCLUSIVE,
      createTime: timestampFromMs(START_MS + index * minutes * MINUTE_MS),
    }));
  }

  it("count an interval at the end of a class in it, and the next microsecond's in the next", async () => {
    const ends = [5, 15, 30, 60, 120].map((minutes) => minutes * 60_000_000);
    let timeUs = START_MS * 1_000;
    const usages = [0, ...ends.flatMap((endUs) => [endUs, endUs + 1])].map((gapUs, index) => {
      timeUs += gapUs;
      const requestId = `class-${index}`;
      return {
        requestId,
        userId: "u1",
        provider: "acme",
        model: "sonnet",
        createTime: toProtoTime(timeUs),
      };
    });
    await record(usages);
    const { groups } = await app.clients.analytics.analyzeCacheAffinityTtl({});
    const found = groups[0]?.distribution;
    expect([
      found?.within5Minutes,
      found?.within15Minutes,
      found?.within30Minutes,
      found?.within60Minutes,
      found?.over60Minutes,
    ]).to.deep.equal([1n, 2n, 2n, 2n, 3n]);
    const { points } = await app.clients.analytics.getIntervalTimeline({ hours: 168 });
    expect(points.map(({ intervalMinutes }) => intervalMinutes)).to.deep.equal([
      5, 5, 15, 15, 30, 30, 60, 60, 120,
    ]);
  });

  it("recommend a time to live, say why, and which one would have been cheapest", async () => {
    await record([
      ...everyMinutes("u1", 1, 40),
      ...everyMinutes("u2", 12, 30),
      ...everyMinutes("u3", 29, 20),
      ...everyMinutes("u4", 90, 10),
      ...everyMinutes("few", 1, 2),
    ]);
    const answer = await app.clients.analytics.analyzeCacheAffinityTtl({ limit: 3 });
    expect(answer.groupCount).to.equal(4n);
    expect(answer.groups.map((g) => [g.groupId, g.name, g.recommendedTtlMinutes])).to.deep.equal([
      ["u1", "One", 5],
      ["u2", "", 15],
      ["u3", "", 30],
    ]);
    expect(answer.groups.map(({ reason }) => reason)).to.deep.equal([
      "90 % of the requests follow within 1.00 minutes",
      "75 % of the requests follow within 12.00 minutes",
      "75 % of the requests follow within 29.00 minutes",
    ]);
    // 1: no change; 4: an hour.
    expect(answer.groups.map(({ costs }) => costs?.cheapest as number)).to.deep.equal([1, 4, 4]);
    const [last] = (await app.clients.analytics.analyzeCacheAffinityTtl({ userId: "u4" })).groups;
    expect(last?.recommendedTtlMinutes).to.equal(60);
    // Nothing would ever have been read: written in vain.
    expect(last?.costs?.cheapest).to.equal(2);
  });

  it("keep each user's share of the points, at least one, evenly spread", async () => {
    const usages = [
      ...everyMinutes("u1", 1, 401),
      ...everyMinutes("u2", 2, 101),
      ...everyMinutes("u3", 7, 41),
      ...everyMinutes("u4", 100, 2),
    ];
    const records = await record(usages);
    const all = expectedPoints(records);
    const indexIn = (points: readonly PlainPoint[], { timeUs, user }: PlainPoint) =>
      points.findIndex((other) => other.timeUs === timeUs && other.user === user);
    for (const limit of [4, 5, 37, 270, 540]) {
      const answer = await app.clients.analytics.getIntervalTimeline({
        limit,
        hours: 168,
        includeUserInfo: true,
      });
      const points = toldPoints(answer);
      expect(points).to.have.length(limit);
      expect(answer.isSampled).to.equal(true);
      expect([answer.totalPoints, answer.leftOutUsers]).to.deep.equal([541n, 0n]);
      const places = points.map((point) => indexIn(all, point));
      expect(places).to.deep.equal([...places].sort((a, b) => a - b));
      expect(places).not.to.include(-1);
      for (const user of ["u1", "u2", "u3", "u4"]) {
        const own = all.filter((point) => point.user === user);
        const chosen = points.filter((point) => point.user === user);
        const quota = (own.length * limit) / all.length;
        expect(chosen.length, `${user} of ${limit}`).to.be.at.least(Math.max(1, quota - 2));
        expect(chosen.length, `${user} of ${limit}`).to.be.at.most(Math.max(1, quota + 1));
        const indices = chosen.map((point) => indexIn(own, point));
        const steps = indices.slice(1).map((index, place) => index - (indices[place] ?? 0));
        const step = own.length / chosen.length;
        for (const found of steps) expect(Math.abs(found - step)).to.be.lessThan(1);
        expect(indices[0]).to.be.at.most(step / 2);
        expect(own.length - 1 - (indices.at(-1) ?? 0)).to.be.at.most(step / 2);
      }
    }
    const few = await app.clients.analytics.getIntervalTimeline({ limit: 3, hours: 168 });
    expect(few.points).to.have.length(3);
    expect(few.leftOutUsers).to.equal(1n);
    expect(few.users).to.deep.equal({});
    expect(few.points.map(({ userId }) => userId)).to.deep.equal(["", "", ""]);
  });

  it("refuse ranges of everybody's records that are too long", async () => {
    const { analytics } = app.clients;
    await analytics.getIntervalTimeline({ hours: 744 });
    await analytics.getIntervalTimeline({ hours: 8_784, userId: "u1" });
    for (const call of [
      analytics.getIntervalTimeline({ hours: 745 }),
      analytics.analyzeCacheAffinityTtl({ hours: 8_785, userId: "u1" }),
      analytics.getCacheHitAnalysis({ startTime: toProtoTime(START_MS * 1_000 - 4e15) }),
      analytics.getCacheHitAnalysis({ hours: 1, startTime: toProtoTime(START_MS * 1_000) }),
      analytics.getIntervalTimeline({ timeZone: "Mars/Base" }),
    ]) {
      expect((await rpcFailure(call)).reason).to.equal("INVALID_FIELD");
    }
  });

  const trace = fileURLToPath(
    new URL("../../../../shared/data/mooncake_conversation_trace.jsonl", import.meta.url),
  );
  if (!existsSync(trace)) {
    it.skip("equal what the records say of a real hour (the trace is not beside the project)");
  } else {
    it("equal what the records say of a real hour", async () => {
      await expectAll(await record(await traceUsages(trace)));
    }).timeout(120_000);
  }

  async function traceUsages(file: string): Promise<UsageInit[]> {
    const seen = new Set<number>();
    const lines = (await readFile(file, "utf8")).trim().split("\n");
    return lines.map((line, index) => {
      const row = JSON.parse(line) as {
        timestamp: number;
        input_length: number;
        output_length: number;
        hash_ids: number[];
      };
      const isNew = row.hash_ids.findIndex((id) => !seen.has(id));
      const known = isNew === -1 ? row.hash_ids.length : isNew;
      for (const id of row.hash_ids) seen.add(id);
      const full = Math.floor(row.input_length / 512);
      const read = Math.min(known * 512, row.input_length);
      const written = Math.max(0, full - known) * 512;
      const conversation = row.hash_ids[1] ?? 0;
      return {
        requestId: `trace${String(index).padStart(6, "0")}`,
        userId: `user${conversation % 200}`,
        apiKeyId: `key${conversation % 50}`,
        provider: "acme",
        model: ["sonnet", "opus", "tiered"][conversation % 3] ?? "",
        inputTokens: BigInt(row.input_length - read - written),
        outputTokens: BigInt(row.output_length),
        cacheReadInputTokens: BigInt(read),
        cacheCreationInputTokens: BigInt(written),
        tokenConvention: TokenConvention.CACHE_EXCLUSIVE,
        createTime: timestampFromMs(START_MS + row.timestamp),
      };
    });
  }
});
