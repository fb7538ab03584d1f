import type { Logger } from "pino";
import type { AppMetrics } from "./app-metrics.js";
import type { Authenticator } from "./caller.js";
import type { Config } from "./config.js";
import { isUnavailable } from "./database/errors.js";
import { type DomainError, databaseUnavailable } from "./errors.js";
import { createAccessLog } from "./server/access-log.js";
import { isLoopback, parseAddress } from "./server/address.js";
import { tellAll } from "./server/call-observer.js";
import { createGrpcServer, type GrpcServer } from "./server/grpc.js";
import { defaultGuards } from "./server/guards.js";
import type { ServiceImplementation } from "./server/handler.js";
import { createHealth } from "./server/health.js";
import { createHttpServer, type HttpServer } from "./server/http.js";
import { createAdmission } from "./server/limits-admission.js";
import { createRateLimiter } from "./server/limits-rate.js";
import { openTlsKeeper, type TlsKeeper } from "./server/tls.js";
import type { Storage } from "./storage.js";
import type { Tracing } from "./telemetry/tracing.js";

/** Addresses as clients write them, with the ports that were really taken. */
export interface AppAddresses {
  readonly grpcAddress: string;
  /** Undefined: there is no HTTP port. */
  readonly httpAddress: string | undefined;
}

/** What the ports are wired from. */
export interface ServerContext {
  readonly config: Config;
  readonly logger: Logger;
  readonly storage: Pick<Storage, "database">;
  readonly tls: TlsKeeper | undefined;
  readonly metrics: AppMetrics;
  readonly tracing: Tracing | undefined;
}

/** What is served. */
export interface ServedParts {
  readonly services: readonly ServiceImplementation[];
  readonly authenticator: Authenticator;
}

/**
 * Reads the certificates; undefined: nothing is encrypted.
 *
 * @throws as `openTlsKeeper`
 */
export async function startTls(config: Config, logger: Logger): Promise<TlsKeeper | undefined> {
  const tls = config.tls && (await openTlsKeeper(config.tls, { logger }));
  tls?.start();
  const addresses = [config.grpc.address, config.http.address ?? config.grpc.address];
  if (tls === undefined && !addresses.every((address) => isLoopback(parseAddress(address)))) {
    logger.warn("nothing is encrypted, so tokens can be read on their way; see TALLY_TLS_CERT");
  }
  return tls;
}

/**
 * Listens on the ports; what stops them is added to `stops`.
 *
 * @throws ListenError
 */
export async function startServer(
  { config, logger, tls, storage, metrics, tracing }: ServerContext,
  { services, authenticator }: ServedParts,
  stops: (() => Promise<void>)[],
): Promise<AppAddresses> {
  const health = createHealth(services.map(({ service }) => service));
  const accessLog = createAccessLog(logger, config.log.access);
  const { limits } = config;
  const { callsPerSecond } = config.admission;
  const admission = createAdmission(config.admission);
  stops.push(async () => admission.stop());
  const calls = {
    ...{ services, health, logger, classify, tls, limits, admission },
    authenticator: metrics.authenticator(authenticator),
    // First of all, since it is what keeps the rest quick.
    guards: [admission.guard, ...defaultGuards],
    rateLimiter: callsPerSecond === 0 ? undefined : createRateLimiter(callsPerSecond),
  };
  const servers: (GrpcServer | HttpServer)[] = [];
  // Together, so that both have the whole grace time.
  stops.push(async () => {
    await Promise.all(servers.map((server) => server.stop(config.shutdown)));
  });
  const grpc = createGrpcServer({
    ...calls,
    observer: tellAll([metrics.observeCalls("grpc"), accessLog, tracing?.observe("grpc")]),
    address: config.grpc.address,
  });
  const { address: grpcAddress } = await grpc.start();
  servers.push(grpc);
  let httpAddress: string | undefined;
  if (config.http.address !== undefined) {
    const http = createHttpServer({
      ...calls,
      observer: tellAll([metrics.observeCalls("http"), accessLog, tracing?.observe("http")]),
      metrics: () => metrics.metrics.text(),
      address: config.http.address,
      allowedOrigins: config.http.allowedOrigins,
      isIdentityRequired: config.auth.isRequired,
      probe: () => storage.database.ping(),
    });
    httpAddress = (await http.start()).address;
    servers.push(http);
  }
  health.setServing(true);
  return { grpcAddress, httpAddress };
}

/** What a room lets through because it cannot say it better than the database. */
function classify(error: unknown): DomainError | undefined {
  return isUnavailable(error) ? databaseUnavailable(error) : undefined;
}
