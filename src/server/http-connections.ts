import { createServer as createHttp1Server } from "node:http";
import { createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import type { HttpRequest, HttpResponse } from "./http-call.js";
import type { ServerLimits } from "./limits.js";
import { announceEnd, limitSession, withJitter } from "./limits-session.js";

/** Options of {@link createHttpConnections}. */
export interface HttpConnectionsOptions {
  readonly listener: (request: HttpRequest, response: HttpResponse) => void;
  readonly limits: ServerLimits;
  readonly logger: Logger;
}

/** Speaks HTTP/1.1 or HTTP/2 on connections, as each client does. */
export interface HttpConnections {
  take(socket: Socket): void;
  /** Whether a connection of HTTP/1.1 should end with the answer to this request. */
  isOld(request: HttpRequest): boolean;
  /** Closes connections as they fall idle, after what is on its way has arrived. */
  drain(): void;
  /** Frees what is left when all connections have closed. */
  stop(): void;
}

/** How long a client may take to begin a request, and an idle connection is kept. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 300_000;
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

/** Memory of one connection beyond which it takes no new calls. */
const MAX_SESSION_MEMORY_MB = 64;

/** How long what clients sent before the server began to stop may be on its way. */
const ARRIVAL_MS = 100;

/** Makes them; each connection is handed in by `take`. */
export function createHttpConnections({
  listener,
  limits,
  logger,
}: HttpConnectionsOptions): HttpConnections {
  const http1 = createHttp1Server(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
      maxHeaderSize: limits.maxHeaderBytes,
    },
    listener,
  );
  const { maxConcurrentStreams, maxHeaderBytes: maxHeaderListSize } = limits;
  const settings = { maxConcurrentStreams, maxHeaderListSize };
  const http2 = createHttp2Server({ settings, maxSessionMemory: MAX_SESSION_MEMORY_MB }, listener);
  const sessions = new Set<ServerHttp2Session>();
  const undecided = new Set<Socket>();
  const oldAtMs = new WeakMap<object, number>();
  http2.on("session", (session) => {
    sessions.add(session);
    limitSession(session, limits);
    session.once("close", () => sessions.delete(session));
  });
  http2.on("sessionError", (error) => logger.debug({ err: error }, "an HTTP/2 session broke"));
  // It does not listen itself; without this it would not look for requests that never end.
  http1.emit("listening");

  function hand(socket: Socket, isHttp2: boolean): void {
    (isHttp2 ? http2 : http1).emit("connection", socket);
  }

  function take(socket: Socket): void {
    socket.on("error", (error) => logger.debug({ err: error }, "connection broke"));
    if (limits.maxConnectionAgeMs > 0) {
      oldAtMs.set(socket, performance.now() + withJitter(limits.maxConnectionAgeMs));
    }
    if (socket instanceof TLSSocket) {
      hand(socket, socket.alpnProtocol === "h2");
      return;
    }
    undecided.add(socket);
    socket.setTimeout(HEADERS_TIMEOUT_MS, () => undecided.has(socket) && socket.destroy());
    socket.once("close", () => undecided.delete(socket));
    whenKnown(socket, (isHttp2) => {
      undecided.delete(socket);
      socket.setTimeout(0);
      hand(socket, isHttp2);
    });
  }

  function closeIdle(): void {
    for (const socket of undecided) socket.destroy();
    for (const session of sessions) session.close();
    http1.closeIdleConnections();
  }

  return {
    take,
    isOld: ({ socket }) => performance.now() > (oldAtMs.get(socket) ?? Number.POSITIVE_INFINITY),
    drain() {
      // First to be told, then closed: calls that were sent before they knew are still answered.
      for (const session of sessions) announceEnd(session);
      setTimeout(closeIdle, ARRIVAL_MS);
    },
    stop() {
      http1.close();
      http2.close();
    },
  };
}

/** How every connection of HTTP/2 begins, and no request of HTTP/1.1. */
const PREFACE = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Tells by the first bytes, which stay to be read, whether the client speaks HTTP/2. */
function whenKnown(socket: Socket, decide: (isHttp2: boolean) => void): void {
  let seen = Buffer.alloc(0);
  const look = () => {
    const chunk: Buffer | null = socket.read();
    if (chunk === null) return;
    seen = Buffer.concat([seen, chunk]);
    const known = Math.min(seen.length, PREFACE.length);
    const isPreface = seen.subarray(0, known).equals(PREFACE.subarray(0, known));
    if (isPreface && known < PREFACE.length) return;
    socket.off("readable", look);
    socket.unshift(seen);
    decide(isPreface);
  };
  socket.on("readable", look);
}
