import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { Redis } from "ioredis";
import { eventually } from "./eventually.js";
import { createTemporaryDirectory, type TemporaryDirectory } from "./temporary-directory.js";

/** A redis-server of this test, with nothing in it. */
export interface TestRedis {
  readonly port: number;
  /** The value of REDIS_URL. */
  readonly url: string;
  /** A connection of the test's own. */
  readonly client: Redis;
  /** Kills it, as a machine that goes away. */
  kill(): Promise<void>;
  /** Starts it again at the same port, empty. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const HOST = "127.0.0.1";
const running = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/**
 * Starts a redis-server on a free port of the loopback interface.
 *
 * @param settings - further lines of its configuration
 * @throws Error when the program is missing, or does not start
 */
export async function startTestRedis(
  settings: readonly string[] = [],
  program: readonly string[] = [],
): Promise<TestRedis> {
  const port = await freePort();
  const directory = await createTemporaryDirectory();
  const client = new Redis({ host: HOST, port, lazyConnect: true, retryStrategy: () => 20 });
  client.on("error", () => undefined);
  let child = await spawnRedis(port, directory, { settings, program });
  await client.connect().catch(() => undefined);
  await eventually("redis-server answers", async () => (await client.ping()) === "PONG");

  async function kill(): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill("SIGKILL");
    await exited;
  }

  return {
    port,
    url: `redis://${HOST}:${port}`,
    client,
    kill,
    async restart() {
      child = await spawnRedis(port, directory, { settings, program });
      await eventually("redis-server answers", () => client.status === "ready");
    },
    async stop() {
      client.disconnect();
      await kill();
      await directory.remove();
    },
  };
}

interface RedisCommandLine {
  readonly settings: readonly string[];
  /** What makes it a Sentinel: a file of settings that it may write to, and an option. */
  readonly program: readonly string[];
}

async function spawnRedis(
  port: number,
  { path }: TemporaryDirectory,
  { settings, program }: RedisCommandLine,
): Promise<ChildProcess> {
  const basic = ["--port", `${port}`, "--bind", HOST, "--dir", path, "--save", ""];
  const child = spawn("redis-server", [...program, ...basic, "--appendonly", "no", ...settings], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  running.add(child);
  child.once("exit", () => running.delete(child));
  await once(child, "spawn").catch((error: unknown) => {
    throw new Error("these tests need redis-server: install it (Debian: redis-server)", {
      cause: error,
    });
  });
  return child;
}

/** A port that is free, and so is the one of a Cluster's bus, 10,000 above it. */
export async function freePort(): Promise<number> {
  for (;;) {
    const server = createServer();
    server.listen(0, HOST);
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    await close(server);
    const low = port > 50_000 ? port - 20_000 : port;
    if ((await isFree(low)) && (await isFree(low + 10_000))) return low;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  server.listen(port, HOST);
  try {
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    await close(server);
  }
}

async function close(server: Server): Promise<void> {
  await new Promise<void>((resolve) => server.close(() => resolve()));
}

/** Stands between a client and a server. */
export interface SlowProxy {
  readonly port: number;
  /** How long every answer takes from now on. */
  delayMs: number;
  stop(): Promise<void>;
}

/** Starts a proxy to a port of this machine. */
export async function startSlowProxy(target: number): Promise<SlowProxy> {
  const sockets = new Set<Socket>();
  const server = createServer((downstream) => {
    const upstream = connect(target, HOST);
    for (const socket of [downstream, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
      socket.on("close", () => {
        sockets.delete(socket);
        downstream.destroy();
        upstream.destroy();
      });
    }
    downstream.on("data", (bytes) => upstream.write(bytes));
    upstream.on("data", (bytes) => {
      setTimeout(() => downstream.writable && downstream.write(bytes), proxy.delayMs);
    });
  });
  server.listen(0, HOST);
  await once(server, "listening");
  const proxy: SlowProxy = {
    port: (server.address() as { port: number }).port,
    delayMs: 0,
    async stop() {
      const closed = close(server);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
  return proxy;
}
