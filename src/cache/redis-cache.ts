import { Cluster, type Redis } from "ioredis";
import type { Logger } from "pino";
import { type Cache, MAX_ENTRY_LENGTH, type Removal } from "./cache.js";
import { createCircuitBreaker } from "./circuit-breaker.js";
import { CacheAwayError, createCommandGuard } from "./command-guard.js";
import type { RedisAddress } from "./redis-address.js";
import { createRedisClient } from "./redis-client.js";

/** Options of {@link createRedisCache}. */
export interface RedisCacheOptions {
  readonly address: RedisAddress;
  /** Certificates in PEM that the server's must come from. Undefined: those that Node trusts. */
  readonly ca: string | undefined;
  /** The longest that anybody waits for a command. */
  readonly timeoutMs: number;
  /** Milliseconds on a clock that never goes back. */
  readonly nowMs: () => number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  /** Told of each command that was not answered, or not in time. */
  readonly onUnanswered?: () => void;
}

/** Keys that one step of a search looks at. */
const SCAN_COUNT = 1_000;
/** The longest that a search for keys takes: other programs may keep millions in the same Redis. */
const SCAN_LIMIT_MS = 10_000;

/**
 * Makes a cache in Redis, which replicas share. Every command names one key, so that a Cluster needs
 * no hash tags and each key is what it is called everywhere.
 */
export function createRedisCache(options: RedisCacheOptions): Cache {
  const { timeoutMs, nowMs, random, logger } = options;
  let lastError: unknown;
  const breaker = createCircuitBreaker({
    nowMs,
    random,
    onChange(isOpen) {
      if (isOpen) logger.warn({ err: lastError }, "Redis is away: answers come without the cache");
      else logger.info("Redis answers again");
    },
  });
  const guard = createCommandGuard({
    breaker,
    timeoutMs,
    onFailure(error) {
      lastError = error;
    },
  });
  const client = createRedisClient({
    ...options,
    onError: (error) => logger.debug({ err: error }, "Redis connection"),
  });

  function isConnected(): boolean {
    return client.status === "ready";
  }

  /** What a command answers, or `otherwise` without Redis. */
  async function ask<T>(command: () => Promise<T>, otherwise: T): Promise<T> {
    try {
      if (isConnected()) return await guard.run(command);
    } catch (error) {
      if (!(error instanceof CacheAwayError)) throw error;
    }
    options.onUnanswered?.();
    return otherwise;
  }

  /** @throws CacheAwayError */
  async function* keysOf(node: Redis, prefix: string): AsyncGenerator<string> {
    const pattern = `${escapePattern(prefix)}*`;
    const endMs = nowMs() + SCAN_LIMIT_MS;
    let cursor = "0";
    do {
      if (nowMs() > endMs) throw new CacheAwayError("there are too many keys to look at");
      const scan = () => node.scan(cursor, "MATCH", pattern, "COUNT", SCAN_COUNT);
      const [next, keys] = await guard.run(scan);
      yield* keys;
      cursor = next;
    } while (cursor !== "0");
  }

  async function deleteMatching(
    prefix: string,
    isUnwanted: (key: string) => boolean,
  ): Promise<Removal> {
    let removed = 0;
    if (!isConnected()) return { removed, isComplete: false };
    const nodes = client instanceof Cluster ? client.nodes("master") : [client];
    try {
      for (const node of nodes) {
        for await (const key of keysOf(node, prefix)) {
          if (isUnwanted(key)) removed += await guard.run(() => client.unlink(key));
        }
      }
    } catch (error) {
      if (!(error instanceof CacheAwayError)) throw error;
      return { removed, isComplete: false };
    }
    return { removed, isComplete: true };
  }

  return {
    get: (key) => ask(() => read(client, key), undefined),
    async set(key, text, ttlMs) {
      if (Buffer.byteLength(text) > MAX_ENTRY_LENGTH) return;
      await ask<unknown>(() => client.set(key, text, "PX", ttlMs), undefined);
    },
    async delete(key) {
      await ask<unknown>(() => client.unlink(key), undefined);
    },
    deleteMatching,
    async stop() {
      client.disconnect();
    },
  };
}

/** Whatever lies there, no more of it than an entry may have. */
async function read(client: Pick<Redis, "getrange">, key: string): Promise<string | undefined> {
  try {
    return (await client.getrange(key, 0, MAX_ENTRY_LENGTH - 1)) || undefined;
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("WRONGTYPE")) return "";
    throw error;
  }
}

function escapePattern(text: string): string {
  return text.replace(/[\\*?[\]^-]/g, "\\$&");
}
