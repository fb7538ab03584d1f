import { setMaxListeners } from "node:events";
import {
  type handleBidiStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  logVerbosity,
  Server,
  ServerCredentials,
  type ServerOptions,
  setLogVerbosity,
} from "@grpc/grpc-js";
import type { Logger } from "pino";
import type { Authenticator } from "../caller.js";
import { installTextEncoding } from "../wire.js";
import { type BoundMethod, bindService } from "./bind.js";
import type { CallObserver } from "./call-observer.js";
import type { ServerContext } from "./context.js";
import type { ErrorClassifier } from "./errors.js";
import { createFailureLog } from "./failure-log.js";
import { answerUnknownMethods, explainAnswersOfGrpcJs } from "./grpc-fallback.js";
import { limitHttp2 } from "./grpc-http2.js";
import { bidiStreamingHandler, serverStreamingHandler } from "./grpc-stream.js";
import { unaryHandler } from "./grpc-unary.js";
import { type CallGuard, defaultGuards } from "./guards.js";
import type { ServiceImplementation } from "./handler.js";
import type { Health } from "./health.js";
import { DEFAULT_LIMITS, type ServerLimits } from "./limits.js";
import type { Admission } from "./limits-admission.js";
import type { RateLimiter } from "./limits-rate.js";
import { createPort } from "./port.js";
import { createReflection } from "./reflection.js";
import type { TlsKeeper } from "./tls.js";

/** Options of {@link createGrpcServer}. */
export interface GrpcServerOptions {
  /** See `parseAddress`: "127.0.0.1:50051", "unix:/run/tally.sock". */
  readonly address: string;
  /** Name of the setting that holds the address, for the text of errors. */
  readonly addressSetting?: string;
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
  /** Default {@link defaultGuards}. */
  readonly guards?: readonly CallGuard[];
  /** Whether clients may ask for the contract by server reflection. Default true. */
  readonly reflection?: boolean;
  /** What is taken at most. Default {@link DEFAULT_LIMITS}. */
  readonly limits?: Partial<ServerLimits>;
  /** Told of calls that wait. Default: nobody counts them. */
  readonly admission?: Admission;
  /** Default: callers may call as often as they like. */
  readonly rateLimiter?: RateLimiter | undefined;
  /** Memory of one connection beyond which it takes no new calls, in megabytes. Default 64. */
  readonly maxSessionMemoryMb?: number;
}

/** A gRPC server. */
export interface GrpcServer {
  /**
   * Listens, and answers from then on.
   * @returns the address as clients write it, with the port that was really taken, and the port
   *   (0 for a unix socket).
   * @throws ListenError
   */
  start(): Promise<{ address: string; port: number }>;
  /**
   * Reports NOT_SERVING, takes no new connections and calls, lets calls finish, closes
   * connections as they fall idle, and cuts what is left after `graceMs`. Never throws.
   */
  stop(options: { graceMs: number }): Promise<void>;
}

const DEFAULT_MAX_SESSION_MEMORY_MB = 64;

/** Makes a server with the services, health and reflection; nothing listens before `start`. */
export function createGrpcServer(options: GrpcServerOptions): GrpcServer {
  installTextEncoding();
  // It would print headers that it cannot read to the console, credentials among them.
  setLogVerbosity(logVerbosity.NONE);
  const draining = new AbortController();
  // Every streaming call listens to it.
  setMaxListeners(0, draining.signal);
  const limits = { ...DEFAULT_LIMITS, ...options.limits };
  const server = new Server(toGrpcOptions(options, limits));
  const watchConnections = limitHttp2(server, limits);
  registerServices(server, options, {
    logger: options.logger,
    failures: createFailureLog(),
    classify: options.classify,
    authenticator: options.authenticator,
    observer: options.observer,
    draining: draining.signal,
    deadlines: limits,
    admission: options.admission,
  });
  // grpc-js could listen by itself, but gives no hold on its sockets, prints to the console when
  // it fails, and does not say why.
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  watchConnections();
  const port = createPort({
    address: options.address,
    addressSetting: options.addressSetting ?? "TALLY_GRPC_ADDRESS",
    tls: options.tls,
    protocols: ["h2"],
    maxConnections: limits.maxConnections,
    logger: options.logger,
    onConnection: (socket) => injector.injectConnection(socket),
  });

  return {
    start: () => port.listen(),
    async stop({ graceMs }) {
      options.health.shutDown();
      const closed = port.close(graceMs);
      draining.abort();
      injector.drain(graceMs);
      await closed;
      server.forceShutdown();
    },
  };
}

function toGrpcOptions(options: GrpcServerOptions, limits: ServerLimits): ServerOptions {
  const { maxMessageBytes, maxConnectionAgeMs } = limits;
  return {
    "grpc.max_receive_message_length": maxMessageBytes,
    "grpc.max_send_message_length": -1,
    "grpc.max_concurrent_streams": limits.maxConcurrentStreams,
    "grpc-node.max_session_memory": options.maxSessionMemoryMb ?? DEFAULT_MAX_SESSION_MEMORY_MB,
    "grpc.keepalive_time_ms": limits.keepaliveTimeMs,
    "grpc.keepalive_timeout_ms": limits.keepaliveTimeoutMs,
    ...(maxConnectionAgeMs === 0 ? {} : { "grpc.max_connection_age_ms": maxConnectionAgeMs }),
    "grpc.max_connection_age_grace_ms": limits.connectionAgeGraceMs,
    // Its bookkeeping costs a tenth of the throughput, and nobody reads it.
    "grpc.enable_channelz": 0,
    interceptors: [explainAnswersOfGrpcJs(maxMessageBytes)],
  };
}

function registerServices(server: Server, options: GrpcServerOptions, context: ServerContext) {
  const services = [...options.services, options.health.implementation];
  if (options.reflection ?? true) {
    services.push(...createReflection(services.map(({ service }) => service)));
  }
  const guards = options.guards ?? defaultGuards;
  for (const implementation of services) {
    for (const method of bindService(implementation, guards, options.rateLimiter))
      register(server, method, context);
  }
  answerUnknownMethods(server, context);
}

/** Messages pass grpc-js as bytes, so that what does not decode is our error and not its own. */
function register(server: Server, bound: BoundMethod, context: ServerContext): void {
  const path = `/${bound.name}`;
  const [handler, type] = toGrpcHandler(bound, context);
  const isNew = server.register<Buffer, Buffer>(path, handler, passThrough, passThrough, type);
  if (!isNew) throw new Error(`${bound.name} has two implementations`);
}

type GrpcHandler =
  | handleUnaryCall<Buffer, Buffer>
  | handleServerStreamingCall<Buffer, Buffer>
  | handleBidiStreamingCall<Buffer, Buffer>;

function toGrpcHandler(
  bound: BoundMethod,
  context: ServerContext,
): [GrpcHandler, "unary" | "serverStream" | "bidi"] {
  if (bound.kind === "unary") return [unaryHandler(bound, context), "unary"];
  return bound.method.methodKind === "server_streaming"
    ? [serverStreamingHandler(bound, context), "serverStream"]
    : [bidiStreamingHandler(bound, context), "bidi"];
}

function passThrough(bytes: Buffer): Buffer {
  return bytes;
}
