import { readFile } from "node:fs/promises";
import type { DescService } from "@bufbuild/protobuf";
import { type Command, Option } from "commander";
import {
  type ClientCredentials,
  type ClientTls,
  createGrpcClient,
  type GrpcClient,
} from "../client/grpc-client.js";
import { CALLER_VARIABLES } from "../config-settings.js";
import { addressOption } from "./arguments.js";
import { CommandError } from "./command-error.js";

/** Which server a command calls, and as whom. */
export interface ServerOptions {
  readonly address: string;
  readonly token?: string;
  readonly tls: boolean;
  readonly tlsCa?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
}

/** Adds `--address` and what says who calls, each of which the environment can give, too. */
export function addServerOptions(command: Command): Command {
  const { token, tlsCa, clientCert, clientKey } = CALLER_VARIABLES;
  return command
    .addOption(addressOption())
    .addOption(new Option("--token <secret>", "say by this token who calls").env(token))
    .addOption(
      new Option("--tls", "speak TLS, with the certificates that Node trusts").default(false),
    )
    .addOption(new Option("--tls-ca <file>", "speak TLS, with servers from this CA").env(tlsCa))
    .addOption(
      new Option("--client-cert <file>", "say by this certificate who calls").env(clientCert),
    )
    .addOption(new Option("--client-key <file>", "the key of --client-cert").env(clientKey));
}

/** Reads the files that the options name. @throws CommandError */
export async function credentialsOf(options: ServerOptions): Promise<ClientCredentials> {
  const tls = await tlsOf(options);
  return {
    ...(options.token === undefined ? {} : { token: options.token }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** A server's service, and as whom to call it. */
export interface CallTarget<S extends DescService> {
  readonly service: S;
  readonly server: ServerOptions;
  /** Default: that of the client. */
  readonly timeoutMs?: number;
}

/** Makes calls with a client that is closed after them. */
export async function withClient<S extends DescService, T>(
  { service, server, timeoutMs }: CallTarget<S>,
  call: (client: GrpcClient<S>) => Promise<T>,
): Promise<T> {
  const credentials = await credentialsOf(server);
  const timeout = timeoutMs === undefined ? {} : { timeoutMs };
  const client = createGrpcClient(service, server.address, { ...credentials, ...timeout });
  try {
    return await call(client);
  } finally {
    client.close();
  }
}

async function tlsOf(options: ServerOptions): Promise<ClientTls | undefined> {
  const { tls, tlsCa, clientCert, clientKey } = options;
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    throw new CommandError("--client-cert and --client-key are needed together");
  }
  const ca = tlsCa === undefined ? {} : { ca: await read(tlsCa) };
  if (clientCert === undefined || clientKey === undefined) {
    return tls || tlsCa !== undefined ? ca : undefined;
  }
  return { ...ca, certificate: { cert: await read(clientCert), key: await read(clientKey) } };
}

function read(path: string): Promise<Buffer> {
  return readFile(path).catch((cause: Error) => {
    throw new CommandError(`cannot read ${path}: ${cause.message}`, { cause });
  });
}
