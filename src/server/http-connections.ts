import { createServer as createHttp1Server } from "node:http";
import { constants, createServer as createHttp2Server, type ServerHttp2Session } from "node:http2";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import type { Logger } from "pino";
import type { HttpRequest, HttpResponse } from "./http-call.js";

/** Options of {@link createHttpConnections}. */
export interface HttpConnectionsOptions {
  readonly listener: (request: HttpRequest, response: HttpResponse) => void;
  readonly logger: Logger;
}

/** Speaks HTTP/1.1 or HTTP/2 on connections, as each client does. */
export interface HttpConnections {
  take(socket: Socket): void;
  /** Closes connections as they fall idle, after what is on its way has arrived. */
  drain(): void;
  /** Frees what is left when all connections have closed. */
  stop(): void;
}

/** How long a client may take to begin a request, and an idle connection is kept. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 300_000;
const KEEP_ALIVE_TIMEOUT_MS = 75_000;

/** How long what clients sent before the server began to stop may be on its way. */
const ARRIVAL_MS = 100;

const HIGHEST_STREAM_ID = 2 ** 31 - 1;

/** Makes them; each connection is handed in by `take`. */
export function createHttpConnections({
  listener,
  logger,
}: HttpConnectionsOptions): HttpConnections {
  const http1 = createHttp1Server(
    {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    },
    listener,
  );
  const http2 = createHttp2Server({}, listener);
  const sessions = new Set<ServerHttp2Session>();
  const undecided = new Set<Socket>();
  http2.on("session", (session) => {
    sessions.add(session);
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
    drain() {
      // First to be told, then closed: calls that were sent before they knew are still answered.
      for (const session of sessions) {
        if (!session.destroyed) session.goaway(constants.NGHTTP2_NO_ERROR, HIGHEST_STREAM_ID);
      }
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
