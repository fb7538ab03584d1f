import { setMaxListeners } from "node:events";
import type { Logger } from "pino";
import type { Authenticator } from "../caller.js";
import { installTextEncoding } from "../wire.js";
import { bindService } from "./bind.js";
import type { CallObserver } from "./call-observer.js";
import type { ServerContext } from "./context.js";
import type { ErrorClassifier } from "./errors.js";
import { createFailureLog } from "./failure-log.js";
import { type CallGuard, defaultGuards } from "./guards.js";
import type { ServiceImplementation } from "./handler.js";
import type { Health } from "./health.js";
import { createHttpConnections } from "./http-connections.js";
import { createHttpListener } from "./http-listener.js";
import { createHttpMethods } from "./http-methods.js";
import { DEFAULT_LIMITS, type ServerLimits } from "./limits.js";
import type { Admission } from "./limits-admission.js";
import type { RateLimiter } from "./limits-rate.js";
import { createPort } from "./port.js";
import { createReflection } from "./reflection.js";
import type { TlsKeeper } from "./tls.js";

/** Options of {@link createHttpServer}. */
export interface HttpServerOptions {
  /** See `parseAddress`: "127.0.0.1:8080", "unix:/run/tally-http.sock". */
  readonly address: string;
  readonly services: readonly ServiceImplementation[];
  /** Served beside the services, and told when the server stops. */
  readonly health: Health;
  readonly logger: Logger;
  /** Explains errors that rooms let through, such as those of a database that is away. */
  readonly classify?: ErrorClassifier;
  /** The certificates to speak TLS with. Default: no encryption. */
  readonly tls?: TlsKeeper | undefined;
  /** Says who calls. */
  readonly authenticator: Authenticator;
  /** Hears of every call. Default: nobody does. */
  readonly observer?: CallObserver | undefined;
  /** Whether the authenticator turns anybody away. */
  readonly isIdentityRequired: boolean;
  /** Default {@link defaultGuards}. */
  readonly guards?: readonly CallGuard[];
  /** Web pages that may call: "https://dash.corp", or "*" for all. Default: none. */
  readonly allowedOrigins?: readonly string[];
  /** Fails when what the server works with cannot be reached. For `/readyz`. */
  readonly probe: () => Promise<void>;
  /** The text of `/metrics`, in the format of Prometheus. Default: there is none. */
  readonly metrics?: (() => string | Promise<string>) | undefined;
  /** What is taken at most. Default {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<ServerLimits>;
  /** Told of calls that wait. Default: nobody counts them. */
  readonly admission?: Admission;
  /** Default: callers may call as often as they like. */
  readonly rateLimiter?: RateLimiter | undefined;
}

/** A server of Connect, gRPC-Web and gRPC, and of pages for probes. */
export interface HttpServer {
  /**
   * Listens, and answers from then on.
   * @returns as `GrpcServer.start`
   * @throws ListenError
   */
  start(): Promise<{ address: string; port: number }>;
  /**
   * Reports NOT_SERVING, takes no new connections, lets calls finish, closes connections as they
   * fall idle, and cuts what is left after `graceMs`. Never throws.
   */
  stop(options: { graceMs: number }): Promise<void>;
}

/** Makes a server with the services, health and reflection; nothing listens before `start`. */
export function createHttpServer(options: HttpServerOptions): HttpServer {
  installTextEncoding();
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const draining = new AbortController();
  // Every streaming call listens to it.
  setMaxListeners(0, draining.signal);
  const listener = createHttpListener({
    methods: methodsOf(options, limits, draining.signal),
    cors: {
      allowedOrigins: options.allowedOrigins ?? [],
      isIdentityRequired: options.isIdentityRequired,
    },
    pages: { notReadyReason: () => notReadyReason(options), metrics: options.metrics },
    logger: options.logger,
    draining: draining.signal,
    deadlines: limits,
    isOld: (request) => connections.isOld(request),
  });
  const connections = createHttpConnections({ listener, limits, logger: options.logger });
  const port = createPort({
    address: options.address,
    addressSetting: "TALLY_HTTP_ADDRESS",
    tls: options.tls,
    protocols: ["h2", "http/1.1"],
    maxConnections: limits.maxConnections,
    logger: options.logger,
    onConnection: connections.take,
  });
  return {
    start: () => port.listen(),
    async stop({ graceMs }) {
      options.health.shutDown();
      const closed = port.close(graceMs);
      draining.abort();
      connections.drain();
      await closed;
      connections.stop();
    },
  };
}

function methodsOf(options: HttpServerOptions, limits: ServerLimits, draining: AbortSignal) {
  const server: ServerContext = {
    logger: options.logger,
    failures: createFailureLog(),
    classify: options.classify,
    authenticator: options.authenticator,
    observer: options.observer,
    draining,
    deadlines: limits,
    admission: options.admission,
  };
  const served = [...options.services, options.health.implementation];
  const services = [...served, ...createReflection(served.map(({ service }) => service))];
  const guards = options.guards ?? defaultGuards;
  const bound = services.flatMap((implementation) =>
    bindService(implementation, guards, options.rateLimiter),
  );
  return createHttpMethods(bound, { server, maxMessageBytes: limits.maxMessageBytes });
}

const PROBE_TIMEOUT_MS = 2_000;

/** Why no work should come here now. */
async function notReadyReason({ health, probe, logger }: HttpServerOptions) {
  if (!health.isServing()) return "the server is starting or stopping";
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error("no answer in time")), PROBE_TIMEOUT_MS);
  });
  try {
    await Promise.race([probe(), timeout]);
    return undefined;
  } catch (error) {
    logger.debug({ err: error }, "not ready");
    return "the database does not answer";
  } finally {
    clearTimeout(timer);
  }
}
