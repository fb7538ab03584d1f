import { Cluster, Redis, type RedisOptions } from "ioredis";
import { type BackoffPolicy, backoffDelayMs } from "../backoff.js";
import type { RedisAddress } from "./redis-address.js";

/** A connection to Redis, whatever it is made of. */
export type RedisClient = Redis | Cluster;

/** Options of {@link createRedisClient}. */
export interface RedisClientOptions {
  readonly address: RedisAddress;
  /** Certificates in PEM that the server's must come from. Undefined: those that Node trusts. */
  readonly ca: string | undefined;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Told what goes wrong with a connection; it is tried again all the same. */
  readonly onError: (error: unknown) => void;
}

const RECONNECT: BackoffPolicy = { baseMs: 50, maxMs: 2_000 };
const CONNECT_TIMEOUT_MS = 2_000;
/** A connection that stays silent for so long is given up: its other end may be gone. */
const SOCKET_TIMEOUT_MS = 10_000;

/**
 * Makes a client that connects by itself, again and again, from now on. It never queues a command
 * for a connection that is not there and never sends one twice: who waits for a cache had better do
 * without. What a command answers can still come late: see `createCommandGuard`.
 */
export function createRedisClient(options: RedisClientOptions): RedisClient {
  const client = options.address.mode === "cluster" ? clusterOf(options) : serverOf(options);
  // Without a listener, an error would end the process.
  client.on("error", options.onError);
  client.connect().catch(options.onError);
  return client;
}

function serverOf({ address, ca, random }: RedisClientOptions): Redis {
  const [first] = address.nodes;
  const delay = reconnectDelay(random);
  return new Redis({
    ...connectionOptions(address, ca),
    lazyConnect: true,
    enableOfflineQueue: false,
    retryStrategy: delay,
    ...(address.mode === "single"
      ? { host: first?.host ?? "", port: first?.port ?? 0 }
      : {
          sentinels: address.nodes.map(({ host, port }) => ({ host, port })),
          name: address.masterName,
          sentinelRetryStrategy: delay,
          failoverDetector: true,
          ...(address.sentinelUsername && { sentinelUsername: address.sentinelUsername }),
          ...(address.sentinelPassword && { sentinelPassword: address.sentinelPassword }),
          ...(address.isTls && {
            enableTLSForSentinelMode: true,
            sentinelTLS: tlsOptions(ca),
          }),
        }),
  });
}

function clusterOf({ address, ca, random }: RedisClientOptions): Cluster {
  return new Cluster(
    address.nodes.map(({ host, port }) => ({ host, port })),
    {
      redisOptions: connectionOptions(address, ca),
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: reconnectDelay(random),
      maxRedirections: 4,
      slotsRefreshTimeout: CONNECT_TIMEOUT_MS,
      // Names must stay names, or their certificates would not be known by them.
      ...(address.isTls && { dnsLookup: (host, done) => done(null, host) }),
    },
  );
}

function connectionOptions(address: RedisAddress, ca: string | undefined): RedisOptions {
  return {
    ...(address.username && { username: address.username }),
    ...(address.password && { password: address.password }),
    db: address.database,
    connectionName: "tally",
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    disableClientInfo: true,
    // After a failover the old master answers so; the new one is found by connecting again.
    reconnectOnError: ({ message }) => message.startsWith("READONLY"),
    ...(address.isTls && { tls: tlsOptions(ca) }),
  };
}

function tlsOptions(ca: string | undefined): { ca?: string } {
  return ca === undefined ? {} : { ca };
}

function reconnectDelay(random: () => number): (attempt: number) => number {
  return (attempt) => backoffDelayMs(attempt, RECONNECT, random());
}
