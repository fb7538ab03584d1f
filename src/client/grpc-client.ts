import {
  create,
  type DescMessage,
  type DescMethod,
  type DescService,
  fromBinary,
  type Message,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import { type ChannelCredentials, Client, type ClientOptions, credentials } from "@grpc/grpc-js";
import { encodeMessage, installTextEncoding } from "../wire.js";
import {
  type CallSettings,
  callBidiStreaming,
  callServerStreaming,
  callUnary,
  type WireMethod,
} from "./calls.js";

export type { CallSettings } from "./calls.js";
export { RpcError } from "./rpc-error.js";

/** One request, one response. @throws RpcError */
export type UnaryCall<I extends DescMessage, O extends DescMessage> = (
  request: MessageInitShape<I>,
  settings?: CallSettings,
) => Promise<MessageShape<O>>;

/** One request, responses as they come. @throws RpcError while iterating */
export type ServerStreamingCall<I extends DescMessage, O extends DescMessage> = (
  request: MessageInitShape<I>,
  settings?: CallSettings,
) => AsyncIterable<MessageShape<O>>;

/** Requests and responses as they come. @throws RpcError while iterating */
export type BidiStreamingCall<I extends DescMessage, O extends DescMessage> = (
  requests: AsyncIterable<MessageInitShape<I>>,
  settings?: CallSettings,
) => AsyncIterable<MessageShape<O>>;

/** A method as one calls it. */
export type ClientMethod<M extends DescMethod> = M["methodKind"] extends "unary"
  ? UnaryCall<M["input"], M["output"]>
  : M["methodKind"] extends "server_streaming"
    ? ServerStreamingCall<M["input"], M["output"]>
    : M["methodKind"] extends "bidi_streaming"
      ? BidiStreamingCall<M["input"], M["output"]>
      : never;

/** A function for each method of the service, by its local name. */
export type GrpcClient<S extends DescService> = {
  readonly [Name in keyof S["method"]]: ClientMethod<S["method"][Name]>;
} & {
  /** Closes the connections; calls that are under way fail. */
  close(): void;
};

/** How to speak to a server in secret, and by which certificate to be known. PEM texts. */
export interface ClientTls {
  /** Certificates that the server's must come from. Default: those that Node trusts. */
  readonly ca?: Buffer;
  /** The client's certificate, with the key; for servers that know callers by it. */
  readonly certificate?: { readonly cert: Buffer; readonly key: Buffer };
}

/** Who calls, and how secretly. */
export interface ClientCredentials {
  /** Sent as bearer token with every call. */
  readonly token?: string;
  /** Default: no encryption. */
  readonly tls?: ClientTls;
}

/** Options of {@link createGrpcClient}. */
export interface GrpcClientOptions extends ClientCredentials {
  /**
   * Connections of its own that calls take in turn. Default 1, which is right but for load: one
   * connection is served by one process.
   */
  readonly connections?: number;
  /** For unary calls that name none, in milliseconds. Default 10000. Streams have none. */
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 10_000;

const CHANNEL_OPTIONS: ClientOptions = {
  // Channels to one address would share a connection otherwise.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.max_receive_message_length": -1,
  "grpc.service_config_disable_resolution": 1,
  // A server that is back after a restart is found within seconds, not within the two minutes that
  // grpc-js waits at the most by default.
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 2_000,
};

/**
 * For streams of requests. grpc-js keeps what was not sent yet, up to a mebibyte by default, and
 * copies the list of it at each message: half of all the work of a long stream of small ones.
 */
const REQUEST_STREAM_OPTIONS: ClientOptions = {
  ...CHANNEL_OPTIONS,
  "grpc.per_rpc_retry_buffer_size": 16 * 1024,
};

/**
 * A client of one service. Connects at the first call and again whenever it must.
 *
 * @param address - "127.0.0.1:50051", or "unix:/path".
 * @throws Error when a certificate or key cannot be read
 */
export function createGrpcClient<S extends DescService>(
  service: S,
  address: string,
  { connections = 1, timeoutMs = DEFAULT_TIMEOUT_MS, token, tls }: GrpcClientOptions = {},
): GrpcClient<S> {
  installTextEncoding();
  const connect = (channelOptions: ClientOptions) =>
    new Client(address, channelCredentials(tls), channelOptions);
  const calls = createPool(connections, () => connect(CHANNEL_OPTIONS));
  // They connect at their first call, if there is one.
  const requestStreams = createPool(connections, () => connect(REQUEST_STREAM_OPTIONS));
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const methods = service.methods.map((method) => {
    const { next } = method.methodKind === "bidi_streaming" ? requestStreams : calls;
    return [method.localName, toFunction(method, next, { timeoutMs, headers })];
  });
  const close = () => {
    calls.close();
    requestStreams.close();
  };
  return { ...Object.fromEntries(methods), close };
}

/** Clients that take turns. */
function createPool(size: number, connect: () => Client) {
  const clients = Array.from({ length: size }, connect);
  let turn = 0;
  return {
    next(): Client {
      turn = (turn + 1) % clients.length;
      return clients[turn] as Client;
    },
    close() {
      for (const client of clients) client.close();
    },
  };
}

type AnyMethod =
  | UnaryCall<DescMessage, DescMessage>
  | ServerStreamingCall<DescMessage, DescMessage>
  | BidiStreamingCall<DescMessage, DescMessage>;

type Init = MessageInitShape<DescMessage>;

/** What holds for every call that does not say otherwise. */
interface CallDefaults {
  /** For unary calls. */
  readonly timeoutMs: number;
  readonly headers: Readonly<Record<string, string>>;
}

function toFunction(
  method: DescMethod,
  next: () => Client,
  { timeoutMs, headers }: CallDefaults,
): AnyMethod {
  const wire: WireMethod = {
    path: `/${method.parent.typeName}/${method.name}`,
    encode: (request) => encodeMessage(method.input, request),
    decode: (bytes) => fromBinary(method.output, bytes),
  };
  const complete = (settings: CallSettings = {}): CallSettings => ({
    ...settings,
    headers: settings.headers === undefined ? headers : { ...headers, ...settings.headers },
  });
  const toRequest = (init: Init): Message => create(method.input, init);
  switch (method.methodKind) {
    case "unary":
      return (init: Init, settings?: CallSettings) =>
        callUnary(next(), wire, toRequest(init), { timeoutMs, ...complete(settings) });
    case "server_streaming":
      return (init: Init, settings?: CallSettings) =>
        callServerStreaming(next(), wire, toRequest(init), complete(settings));
    case "bidi_streaming":
      return (inits: AsyncIterable<Init>, settings?: CallSettings) =>
        callBidiStreaming(next(), wire, mapAll(inits, toRequest), complete(settings));
    case "client_streaming":
      throw new Error(`${wire.path}: client streaming is not supported`);
  }
}

function channelCredentials(tls: ClientTls | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  const { ca, certificate } = tls;
  return credentials.createSsl(ca ?? null, certificate?.key ?? null, certificate?.cert ?? null);
}

async function* mapAll<T, U>(items: AsyncIterable<T>, map: (item: T) => U): AsyncGenerator<U> {
  for await (const item of items) yield map(item);
}
