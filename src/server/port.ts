import { createServer, type Server as NetServer, type Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Logger } from "pino";
import { formatAddress, parseAddress } from "./address.js";
import { noteCertificate } from "./caller-certificate.js";
import { listen } from "./listen.js";
import type { TlsKeeper } from "./tls.js";

/** Options of {@link createPort}. */
export interface PortOptions {
  /** See `parseAddress`: "127.0.0.1:50051", "unix:/run/tally.sock". */
  readonly address: string;
  /** Name of the setting that holds the address, for the text of errors. */
  readonly addressSetting: string;
  /** The certificates to speak TLS with; undefined: no encryption. */
  readonly tls: TlsKeeper | undefined;
  /** What TLS clients may choose from, the best first: "h2", "http/1.1". */
  readonly protocols: readonly string[];
  readonly maxConnections: number;
  readonly logger: Logger;
  /** Takes a connection; with TLS, once it is secure. */
  onConnection(socket: Socket): void;
}

/** Where connections arrive, with or without TLS, and are counted until they close. */
export interface Port {
  /**
   * @returns the address as clients write it, with the port that was really taken, and the port
   *   (0 for a unix socket).
   * @throws ListenError
   */
  listen(): Promise<{ address: string; port: number }>;
  /**
   * Takes no new connections and waits until the last one has closed; cuts what is left after
   * `graceMs`. Never throws.
   */
  close(graceMs: number): Promise<void>;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;

/** Makes a port; nothing listens before `listen`. */
export function createPort(options: PortOptions): Port {
  const { logger } = options;
  const sockets = new Set<Socket>();
  const listener = createListener(options);
  listener.maxConnections = options.maxConnections;
  listener.on("drop", () => logger.debug("too many connections; a further one was closed"));
  listener.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return {
    async listen() {
      const wanted = parseAddress(options.address);
      const bound = await listen(listener, wanted, options.addressSetting);
      return { address: formatAddress(bound), port: "port" in bound ? bound.port : 0 };
    },
    async close(graceMs) {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      const cut = setTimeout(() => cutSockets(sockets, logger), graceMs);
      await closed;
      clearTimeout(cut);
    },
  };
}

/** Takes connections; those by TLS are handed on when they are secure. */
function createListener({ tls, protocols, logger, onConnection }: PortOptions): NetServer {
  if (tls === undefined) return createServer({ noDelay: true }, onConnection);
  const options = { ...tls.serverOptions, noDelay: true, ALPNProtocols: [...protocols] };
  const listener = createTlsServer({ ...options, handshakeTimeout: HANDSHAKE_TIMEOUT_MS });
  listener.on("secureConnection", (socket) => {
    // Whatever breaks a connection ends its calls; the socket itself has nobody to tell.
    socket.on("error", (error) => logger.debug({ err: error }, "connection broke"));
    noteCertificate(socket);
    onConnection(socket);
  });
  listener.on("tlsClientError", (error, socket) => {
    logger.debug({ err: error, peer: socket.remoteAddress }, "a client failed to connect by TLS");
  });
  tls.follow(listener);
  return listener;
}

function cutSockets(sockets: ReadonlySet<Socket>, logger: Logger): void {
  logger.warn({ connections: sockets.size }, "calls did not finish in time; cutting connections");
  for (const socket of sockets) socket.destroy();
}
