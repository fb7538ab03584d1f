import { setImmediate as nextTurn } from "node:timers/promises";
import type { Message } from "@bufbuild/protobuf";
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  ServerDuplexStream,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { cancelled, shuttingDown } from "../errors.js";
import { encodeMessage } from "../wire.js";
import type { BoundStream } from "./bind.js";
import { type CallContext, LazyCallContext, type ServerContext } from "./context.js";
import { decodeRequest } from "./decode.js";
import { GrpcCall, toGrpcStatus } from "./grpc-call.js";

type Duplex = ServerDuplexStream<Buffer, Buffer>;
type Writable = ServerWritableStream<Buffer, Buffer>;

/** Serves a server-streaming method of grpc-js whose messages are left as bytes. Never throws. */
export function serverStreamingHandler(
  bound: BoundStream,
  server: ServerContext,
): handleServerStreamingCall<Buffer, Buffer> {
  return (call) => {
    serve(call, bound, server, (context) => bound.answer(readRequest(call, bound), context));
  };
}

/**
 * Serves a bidirectional method likewise. One request is read when the handler asks for it.
 * When the server begins to stop, no more are read, and a call whose caller was not done ends
 * with SHUTTING_DOWN once the handler has answered what it had.
 */
export function bidiStreamingHandler(
  bound: BoundStream,
  server: ServerContext,
): handleBidiStreamingCall<Buffer, Buffer> {
  return (call) => {
    serve(call, bound, server, async function* (context) {
      yield* bound.answer(readRequests(call, bound, server.draining), context);
      if (server.draining.aborted && !call.readableEnded) throw shuttingDown();
    });
  };
}

function serve(
  call: Duplex | Writable,
  bound: BoundStream,
  server: ServerContext,
  answer: (context: CallContext) => AsyncIterable<Message>,
): void {
  const grpcCall = new GrpcCall(call);
  const context = new LazyCallContext(bound.name, grpcCall, server, true);
  sendResponses(call, bound, answer(context)).then(
    () => {
      grpcCall.answered = true;
      call.end();
      context.logAnswered();
    },
    (error: unknown) => {
      const status = toGrpcStatus(context.toStatus(error));
      grpcCall.answered = true;
      // This is how grpc-js wants a streaming call to end with an error.
      call.emit("error", status);
    },
  );
}

async function* readRequest({ request }: Writable, { method }: BoundStream) {
  yield decodeRequest(method.input, request);
}

async function* readRequests(
  call: Duplex,
  { method }: BoundStream,
  draining: AbortSignal,
): AsyncGenerator<Message> {
  for (;;) {
    const bytes: Buffer | null = call.read();
    if (bytes !== null) yield decodeRequest(method.input, bytes);
    else if (call.readableEnded) return await throwIfCancelled(call);
    else if (draining.aborted) return;
    else if (call.destroyed) throw cancelled();
    else await nextEvent(call, ["readable", "end", "close"], draining);
  }
}

/** A caller that goes away looks like one that is done at first: the end comes before the reset. */
async function throwIfCancelled(call: Duplex): Promise<void> {
  await nextTurn();
  if (call.cancelled) throw cancelled();
}

/** Makes the next response only when the one before has found room on its way out. */
async function sendResponses(
  call: Duplex | Writable,
  { method }: BoundStream,
  responses: AsyncIterable<Message>,
): Promise<void> {
  for await (const response of responses) {
    const hasRoom = call.write(encodeMessage(method.output, response));
    if (!hasRoom && !call.destroyed) await nextEvent(call, ["drain", "close"]);
    if (call.destroyed) throw cancelled();
  }
}

/** Waits for the first of the events, or the signal, and leaves no listener behind. */
function nextEvent(
  call: Duplex | Writable,
  names: readonly string[],
  signal?: AbortSignal,
): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const name of names) call.off(name, done);
      signal?.removeEventListener("abort", done);
      resolve();
    };
    for (const name of names) call.on(name, done);
    signal?.addEventListener("abort", done);
  });
}
