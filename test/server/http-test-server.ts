import type { DescService } from "@bufbuild/protobuf";
import { type Client, ConnectError, createClient, type Transport } from "@connectrpc/connect";
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
} from "@connectrpc/connect-node";
import { QuotaChecker } from "../../gen/tally/v1/quota_checker_pb.js";
import { UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import { trustEveryCaller } from "../../src/caller.js";
import { implement, type ServiceHandlers } from "../../src/server/handler.js";
import { createHealth, type Health } from "../../src/server/health.js";
import { createHttpServer, type HttpServerOptions } from "../../src/server/http.js";
import { type LogLine, recordingLogger } from "./test-server.js";

/** A server of HTTP on a port of its own, and its log. */
export interface HttpTestServer {
  /** "127.0.0.1:PORT". */
  readonly address: string;
  readonly port: number;
  readonly url: string;
  readonly health: Health;
  readonly lines: readonly LogLine[];
  stop(graceMs?: number): Promise<void>;
}

/** Handlers of the services that the tests need. */
export interface TestHandlers {
  readonly quota?: ServiceHandlers<typeof QuotaChecker>;
  readonly usage?: ServiceHandlers<typeof UsageRecorder>;
}

/** Serves the handlers on any free port of the loopback. */
export async function startHttpServer(
  { quota = {}, usage = {} }: TestHandlers,
  options: Partial<HttpServerOptions> = {},
): Promise<HttpTestServer> {
  const services = [implement(QuotaChecker, quota), implement(UsageRecorder, usage)];
  const { logger, lines } = recordingLogger();
  const health = createHealth(services.map(({ service }) => service));
  const server = createHttpServer({
    address: "127.0.0.1:0",
    services,
    health,
    logger,
    authenticator: trustEveryCaller,
    isIdentityRequired: false,
    probe: async () => {},
    ...options,
  });
  const { address, port } = await server.start();
  health.setServing(true);
  return {
    address,
    port,
    url: `${options.tls === undefined ? "http" : "https"}://${address}`,
    health,
    lines,
    stop: (graceMs = 1_000) => server.stop({ graceMs }),
  };
}

/** Every protocol and version of HTTP by which clients may call, and what makes a transport of it. */
export const PROTOCOLS: readonly (readonly [
  name: string,
  isHttp2: boolean,
  make: (baseUrl: string) => Transport,
])[] = (["1.1", "2"] as const).flatMap((httpVersion) => {
  const isHttp2 = httpVersion === "2";
  return [
    ...[true, false].flatMap((useBinaryFormat) => {
      const format = useBinaryFormat ? "binary" : "JSON";
      return [
        [
          `Connect, ${format}, HTTP/${httpVersion}`,
          isHttp2,
          (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion, useBinaryFormat }),
        ] as const,
        [
          `gRPC-Web, ${format}, HTTP/${httpVersion}`,
          isHttp2,
          (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion, useBinaryFormat }),
        ] as const,
      ];
    }),
    ...(isHttp2
      ? [["gRPC", isHttp2, (baseUrl: string) => createGrpcTransport({ baseUrl })] as const]
      : []),
  ];
});

/** A client of the service. */
export function clientOf<S extends DescService>(service: S, transport: Transport): Client<S> {
  return createClient(service, transport);
}

/** The error that a call must end with. */
export async function connectFailure(call: Promise<unknown>): Promise<ConnectError> {
  const error = await call.then(
    () => new Error("the call did not fail"),
    (reason: unknown) => reason,
  );
  if (error instanceof ConnectError) return error;
  throw error;
}

/** Posts JSON as curl does. */
export function postJson(
  url: string,
  body: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return fetch(url, {
    method: "POST",
    body,
    headers: { "content-type": "application/json", ...headers },
  });
}
