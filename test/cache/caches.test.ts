/** What every cache must do, and what one in Redis must do when Redis does not. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect } from "chai";
import { type Cache, MAX_ENTRY_LENGTH } from "../../src/cache/cache.js";
import { createMemoryCache } from "../../src/cache/memory-cache.js";
import { parseRedisUrl } from "../../src/cache/redis-address.js";
import { createRedisCache } from "../../src/cache/redis-cache.js";
import { eventually } from "../support/eventually.js";
import { silentLogger } from "../support/postgres.js";
import { freePort, startSlowProxy, startTestRedis, type TestRedis } from "../support/redis.js";
import { createTemporaryDirectory } from "../support/temporary-directory.js";
import { uniqueId } from "../support/unique-id.js";

const TIMEOUT_MS = 150;

function redisCache(url: string, nowMs = () => performance.now()): Cache {
  const address = parseRedisUrl(url);
  if (address === undefined) throw new Error(`${url} is no URL of Redis`);
  return createRedisCache({
    address,
    ca: undefined,
    timeoutMs: TIMEOUT_MS,
    nowMs,
    random: () => 0,
    logger: silentLogger,
  });
}

/** Until it is connected, a cache keeps nothing. */
async function connected(cache: Cache): Promise<Cache> {
  await eventually("the cache is connected", async () => {
    await cache.set("connected", "yes", 10_000);
    return (await cache.get("connected")) === "yes";
  });
  return cache;
}

function behavesLikeACache(open: () => Promise<Cache>): void {
  let cache: Cache;
  before(async () => {
    cache = await open();
  });
  after(() => cache.stop());

  it("answers what was set last, and nothing for what was not", async () => {
    const key = uniqueId("key");
    expect(await cache.get(key)).to.equal(undefined);
    await cache.set(key, "first", 10_000);
    await cache.set(key, "é\u{1f600}\0", 10_000);
    expect(await cache.get(key)).to.equal("é\u{1f600}\0");
    expect(await cache.get(`${key}0`)).to.equal(undefined);
  });

  it("forgets what it is told to", async () => {
    const key = uniqueId("key");
    await cache.set(key, "text", 10_000);
    await cache.delete(key);
    await cache.delete(key);
    expect(await cache.get(key)).to.equal(undefined);
  });

  it("forgets by itself when the time has passed", async () => {
    const key = uniqueId("key");
    await cache.set(key, "text", 30);
    await eventually("it is forgotten", async () => (await cache.get(key)) === undefined);
  });

  it("does not keep what is too long", async () => {
    const key = uniqueId("key");
    await cache.set(key, "x".repeat(MAX_ENTRY_LENGTH + 1), 10_000);
    expect(await cache.get(key)).to.equal(undefined);
  });

  it("removes what begins alike and is unwanted, and says how many", async () => {
    const prefix = `${uniqueId("p")}*[a]?\\:`;
    const keys = Array.from({ length: 30 }, (_, index) => `${prefix}${index}`);
    for (const key of [...keys, "p-else:1"]) await cache.set(key, "text", 10_000);
    const removal = await cache.deleteMatching(prefix, (key) => !key.endsWith("7"));
    expect(removal).to.deep.equal({ removed: 27, isComplete: true });
    expect(await cache.get(`${prefix}7`)).to.equal("text");
    expect(await cache.get(`${prefix}8`)).to.equal(undefined);
    expect(await cache.get("p-else:1")).to.equal("text");
    const rest = await cache.deleteMatching(prefix, () => true);
    expect(rest).to.deep.equal({ removed: 3, isComplete: true });
  });
}

describe("createMemoryCache", () => {
  behavesLikeACache(async () => createMemoryCache({ nowMs: () => performance.now() }));

  it("drops what was used longest ago when there are too many", async () => {
    const cache = createMemoryCache({ nowMs: () => 0, maxEntries: 2 });
    await cache.set("a", "1", 10);
    await cache.set("b", "2", 10);
    await cache.get("a");
    await cache.set("c", "3", 10);
    expect([await cache.get("a"), await cache.get("b"), await cache.get("c")]).to.deep.equal([
      "1",
      undefined,
      "3",
    ]);
  });

  it("drops as much as it takes when entries are too long together", async () => {
    const cache = createMemoryCache({ nowMs: () => 0, maxLength: 100 });
    for (let index = 0; index < 9; index += 1) await cache.set(`${index}`, "x".repeat(9), 10);
    await cache.set("a", "x".repeat(79), 10);
    const kept = await Promise.all(["0", "6", "7", "8", "a"].map((key) => cache.get(key)));
    expect(kept.map((text) => text?.length)).to.deep.equal([undefined, undefined, 9, 9, 79]);
  });

  it("counts an entry that was replaced or has expired once", async () => {
    let nowMs = 0;
    const cache = createMemoryCache({ nowMs: () => nowMs, maxLength: 100 });
    for (let round = 0; round < 50; round += 1) await cache.set("a", "x".repeat(40), 10);
    await cache.set("b", "x".repeat(40), 20);
    nowMs = 15;
    expect(await cache.get("a")).to.equal(undefined);
    await cache.set("c", "x".repeat(50), 20);
    expect(await cache.get("b")).to.have.length(40);
    expect(await cache.deleteMatching("", () => true)).to.deep.include({ removed: 2 });
  });
});

describe("createRedisCache", () => {
  let redis: TestRedis;
  before(async () => {
    redis = await startTestRedis();
  });
  after(() => redis.stop());

  behavesLikeACache(() => connected(redisCache(redis.url)));

  it("reads what is no text as an empty one, and no more than an entry may have", async () => {
    const cache = await connected(redisCache(redis.url));
    await redis.client.lpush("list", "1", "2");
    await redis.client.set("long", Buffer.alloc(3 * MAX_ENTRY_LENGTH, "x"));
    expect(await cache.get("list")).to.equal("");
    expect(await cache.get("long")).to.have.length(MAX_ENTRY_LENGTH);
    await cache.set("list", "text", 10_000);
    expect(await cache.get("list")).to.equal("text");
    await cache.stop();
  });

  it("does without a Redis that was never there, at once", async () => {
    const cache = redisCache(`redis://127.0.0.1:${await freePort()}`);
    const startMs = performance.now();
    for (let call = 0; call < 100; call += 1) {
      await cache.set("a", "1", 10_000);
      expect(await cache.get("a")).to.equal(undefined);
    }
    expect(await cache.deleteMatching("", () => true)).to.deep.equal({
      removed: 0,
      isComplete: false,
    });
    expect(performance.now() - startMs).to.be.lessThan(TIMEOUT_MS);
    await cache.stop();
  });

  it("comes back by itself after Redis was killed", async () => {
    const own = await startTestRedis();
    const cache = await connected(redisCache(own.url));
    await cache.set("a", "1", 10_000);
    await own.kill();
    expect(await cache.get("a")).to.equal(undefined);
    await own.restart();
    await connected(cache);
    expect(await cache.get("a")).to.equal(undefined);
    await cache.stop();
    await own.stop();
  });

  it("waits for a slow Redis three times, then not any more until it is quick again", async () => {
    const proxy = await startSlowProxy(redis.port);
    let extraMs = 0;
    const nowMs = () => performance.now() + extraMs;
    const cache = await connected(redisCache(`redis://127.0.0.1:${proxy.port}`, nowMs));
    proxy.delayMs = 2_000;
    const waits: number[] = [];
    for (let call = 0; call < 50; call += 1) {
      const startMs = performance.now();
      expect(await cache.get("connected")).to.equal(undefined);
      waits.push(performance.now() - startMs);
    }
    expect(waits.filter((ms) => ms > TIMEOUT_MS * 0.9)).to.have.length(3);
    expect(Math.max(...waits)).to.be.lessThan(TIMEOUT_MS * 3);
    proxy.delayMs = 0;
    extraMs = 60_000;
    await eventually("the cache is asked again", async () => {
      extraMs += 60_000;
      return (await cache.get("connected")) === "yes";
    });
    await cache.stop();
    await proxy.stop();
  });

  it("finds the master that Sentinel names, and the next one after a failover", async () => {
    const replica = await startTestRedis(["--replicaof", "127.0.0.1", `${redis.port}`]);
    const directory = await createTemporaryDirectory();
    const file = join(directory.path, "sentinel.conf");
    await writeFile(
      file,
      `sentinel monitor main 127.0.0.1 ${redis.port} 1\n` +
        "sentinel down-after-milliseconds main 30000\n",
    );
    const sentinel = await startTestRedis([], [file, "--sentinel"]);
    await eventually("Sentinel knows the replica", async () => {
      const replicas = (await sentinel.client.call("SENTINEL", "REPLICAS", "main")) as unknown[];
      return replicas.length === 1;
    });
    const cache = await connected(redisCache(`redis+sentinel://127.0.0.1:${sentinel.port}/main`));
    await cache.set("where", "first", 60_000);
    expect(await redis.client.get("where")).to.equal("first");
    await eventually("Sentinel takes the replica for a good one", async () => {
      const failover = sentinel.client.call("SENTINEL", "FAILOVER", "main");
      return (await failover.catch(() => undefined)) === "OK";
    });
    await eventually("the cache writes to the new master", async () => {
      await cache.set("where", "second", 60_000);
      const role = (await replica.client.call("ROLE")) as unknown[];
      return role[0] === "master" && (await replica.client.get("where")) === "second";
    });
    await cache.stop();
    await sentinel.stop();
    await replica.stop();
    await redis.client.call("REPLICAOF", "NO", "ONE");
    await directory.remove();
  });
});

describe("createRedisCache in a Cluster", () => {
  const nodes: TestRedis[] = [];
  before(async () => {
    for (let index = 0; index < 3; index += 1) {
      nodes.push(
        await startTestRedis(["--cluster-enabled", "yes", "--cluster-node-timeout", "1000"]),
      );
    }
    await joinCluster(nodes);
  });
  after(async () => {
    for (const node of nodes) await node.stop();
  });

  behavesLikeACache(() => connected(redisCache(clusterUrl())));

  it("goes on with the nodes that are left", async () => {
    const cache = await connected(redisCache(clusterUrl()));
    await nodes[2]?.kill();
    await eventually("keys elsewhere are kept", async () => {
      const keys = Array.from({ length: 12 }, (_, index) => `left:${index}`);
      for (const key of keys) await cache.set(key, "text", 10_000);
      const kept = await Promise.all(keys.map((key) => cache.get(key)));
      return kept.includes("text");
    });
    await cache.stop();
  });

  function clusterUrl(): string {
    return `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(",")}`;
  }
});

const SLOTS = 16_384;

async function joinCluster(nodes: readonly TestRedis[]): Promise<void> {
  for (const [index, { client }] of nodes.entries()) {
    const first = Math.floor((index * SLOTS) / nodes.length);
    const last = Math.floor(((index + 1) * SLOTS) / nodes.length) - 1;
    await client.call("CLUSTER", "ADDSLOTSRANGE", first, last);
    await client.call("CONFIG", "SET", "cluster-require-full-coverage", "no");
    await client.call("CLUSTER", "MEET", "127.0.0.1", nodes[0]?.port ?? 0);
  }
  for (const { client } of nodes) {
    await eventually("every node knows all slots", async () => {
      const info = String(await client.call("CLUSTER", "INFO"));
      return info.includes("cluster_state:ok") && info.includes(`cluster_slots_ok:${SLOTS}`);
    });
  }
}
