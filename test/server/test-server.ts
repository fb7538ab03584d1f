import type { DescService } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { Health as HealthService } from "../../gen/grpc/health/v1/health_pb.js";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { trustEveryCaller } from "../../src/caller.js";
import { createGrpcClient, type GrpcClient, RpcError } from "../../src/client/grpc-client.js";
import { createAccessLog } from "../../src/server/access-log.js";
import { createGrpcServer, type GrpcServerOptions } from "../../src/server/grpc.js";
import { implement, type ServiceHandlers } from "../../src/server/handler.js";
import { createHealth, type Health } from "../../src/server/health.js";
import { createLogger } from "../../src/telemetry/logger.js";

/** A line of the log of a test's server. */
export type LogLine = Readonly<Record<string, unknown>>;

/** A server on a port of its own, its log, and clients that close with it. */
export interface TestServer {
  readonly address: string;
  readonly port: number;
  readonly health: Health;
  /** What was logged so far, from debug on. */
  readonly lines: readonly LogLine[];
  readonly quota: GrpcClient<typeof QuotaChecker>;
  readonly healthClient: GrpcClient<typeof HealthService>;
  /** A further client. */
  client<S extends DescService>(service: S): GrpcClient<S>;
  /** Closes the clients and stops. */
  stop(graceMs?: number): Promise<void>;
  /** Stops and leaves the clients alone. */
  stopServer(graceMs: number): Promise<void>;
}

/** Serves a QuotaChecker with the handlers. */
export function startQuotaServer(
  handlers: ServiceHandlers<typeof QuotaChecker>,
  options: Partial<GrpcServerOptions> = {},
): Promise<TestServer> {
  return startTestServer({ services: [implement(QuotaChecker, handlers)], ...options });
}

/** Serves what the options say on any free port of the loopback. */
export async function startTestServer(
  options: Partial<GrpcServerOptions> & Pick<GrpcServerOptions, "services">,
): Promise<TestServer> {
  const { logger, lines } = recordingLogger();
  const health = createHealth(options.services.map(({ service }) => service));
  const server = createGrpcServer({
    address: "127.0.0.1:0",
    health,
    logger,
    authenticator: trustEveryCaller,
    observer: createAccessLog(logger, "none"),
    ...options,
  });
  const { address, port } = await server.start();
  const clients: { close(): void }[] = [];
  function client<S extends DescService>(service: S): GrpcClient<S> {
    const created = createGrpcClient(service, address);
    clients.push(created);
    return created;
  }
  return {
    address,
    port,
    health,
    lines,
    quota: client(QuotaChecker),
    healthClient: client(HealthService),
    client,
    async stop(graceMs = 1_000) {
      for (const opened of clients) opened.close();
      await server.stop({ graceMs });
    },
    stopServer: (graceMs) => server.stop({ graceMs }),
  };
}

/** The production logger, at debug, whose lines can be looked at. */
export function recordingLogger(): { logger: Logger; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  return { logger: createLogger({ level: "debug", destination }), lines };
}

/** The error of a call that has to fail. */
export async function failureOf(call: Promise<unknown>): Promise<RpcError> {
  try {
    await call;
  } catch (error) {
    if (error instanceof RpcError) return error;
    throw error;
  }
  throw new Error("the call was answered");
}

/** A promise and what settles it. */
export interface Gate {
  readonly opened: Promise<void>;
  open(): void;
}

/** Lets a test decide when something goes on. */
export function createGate(): Gate {
  let open = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open: () => open() };
}
