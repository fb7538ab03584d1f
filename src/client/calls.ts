import type { Message } from "@bufbuild/protobuf";
import {
  type CallOptions,
  type Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { toRpcError } from "./rpc-error.js";

/** Settings of one call. */
export interface CallSettings {
  /** Cancels the call. */
  readonly signal?: AbortSignal;
  /** How long to wait for the end of the call, in milliseconds; Infinity: for ever. */
  readonly timeoutMs?: number;
  /** Headers to send, for instance `x-request-id`. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A method as grpc-js wants to be told about it. */
export interface WireMethod {
  /** "/tally.v1.QuotaChecker/CheckQuota". */
  readonly path: string;
  readonly encode: (request: Message) => Buffer;
  readonly decode: (bytes: Buffer) => Message;
}

/** @throws RpcError */
export function callUnary(
  client: Client,
  { path, encode, decode }: WireMethod,
  request: Message,
  settings: CallSettings,
): Promise<Message> {
  return new Promise((resolve, reject) => {
    const { metadata, options } = toGrpcArguments(settings);
    const finish = (error: ServiceError | null, response?: Message) => {
      unlink();
      if (error !== null) reject(toRpcError(error));
      else resolve(response as Message);
    };
    const call = client.makeUnaryRequest(path, encode, decode, request, metadata, options, finish);
    const unlink = cancelOnAbort(call, settings.signal);
  });
}

/** Makes the call when the first response is asked for. @throws RpcError */
export async function* callServerStreaming(
  client: Client,
  { path, encode, decode }: WireMethod,
  request: Message,
  settings: CallSettings,
): AsyncGenerator<Message> {
  const { metadata, options } = toGrpcArguments(settings);
  const call = client.makeServerStreamRequest(path, encode, decode, request, metadata, options);
  yield* readResponses(call, settings.signal);
}

/**
 * Makes the call when the first response is asked for; sends requests as fast as the server
 * takes them. @throws RpcError, or what `requests` throws.
 */
export async function* callBidiStreaming(
  client: Client,
  { path, encode, decode }: WireMethod,
  requests: AsyncIterable<Message>,
  settings: CallSettings,
): AsyncGenerator<Message> {
  const { metadata, options } = toGrpcArguments(settings);
  const call = client.makeBidiStreamRequest(path, encode, decode, metadata, options);
  sendRequests(call, requests).catch((error: Error) => call.destroy(error));
  yield* readResponses(call, settings.signal);
}

async function* readResponses(
  call: ClientReadableStream<Message>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Message> {
  const unlink = cancelOnAbort(call, signal);
  try {
    for await (const response of call) yield response;
  } catch (error) {
    throw isServiceError(error) ? toRpcError(error) : error;
  } finally {
    unlink();
    // Without effect on a call that has ended; ends one whose responses are not wanted any more.
    call.cancel();
  }
}

async function sendRequests(
  call: ClientDuplexStream<Message, Message>,
  requests: AsyncIterable<Message>,
): Promise<void> {
  for await (const request of requests) {
    if (call.destroyed || call.writableEnded) return;
    if (!call.write(request)) await roomToWrite(call);
  }
  call.end();
}

function roomToWrite(call: ClientDuplexStream<Message, Message>): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const name of ["drain", "close", "status"]) call.off(name, done);
      resolve();
    };
    for (const name of ["drain", "close", "status"]) call.on(name, done);
  });
}

function isServiceError(error: unknown): error is ServiceError {
  return error instanceof Error && "code" in error && "metadata" in error;
}

/** @returns what to call when the call is over, so that a long-lived signal holds on to none. */
function cancelOnAbort(call: { cancel(): void }, signal: AbortSignal | undefined): () => void {
  if (signal === undefined) return () => undefined;
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  signal.addEventListener("abort", cancel);
  return () => signal.removeEventListener("abort", cancel);
}

function toGrpcArguments({ timeoutMs = Number.POSITIVE_INFINITY, headers = {} }: CallSettings): {
  metadata: Metadata;
  options: CallOptions;
} {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
  const options = Number.isFinite(timeoutMs) ? { deadline: Date.now() + timeoutMs } : {};
  return { metadata, options };
}
