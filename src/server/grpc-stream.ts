import { setImmediate as nextTurn } from "node:timers/promises";
import type { DescMessage, Message } from "@bufbuild/protobuf";
import type {
  handleBidiStreamingCall,
  handleServerStreamingCall,
  ServerDuplexStream,
  ServerWritableStream,
} from "@grpc/grpc-js";
import { cancelled, shuttingDown } from "../errors.js";
import { encodeMessage } from "../wire.js";
import type { BoundStream } from "./bind.js";
import { listenTo } from "./call-events.js";
import { type CallContext, LazyCallContext, type ServerContext } from "./context.js";
import { decodeNumbers, decodeRequest } from "./decode.js";
import { GrpcCall, toGrpcStatus } from "./grpc-call.js";
import type { IncomingMessage } from "./request-stream.js";

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
    const { draining } = server;
    const answer = (context: CallContext) =>
      bound.answer(readRequests(call, bound, draining), context);
    serve(call, bound, server, answer, () => {
      if (draining.aborted && !call.readableEnded) throw shuttingDown();
    });
  };
}

function serve(
  call: Duplex | Writable,
  bound: BoundStream,
  server: ServerContext,
  answer: (context: CallContext) => AsyncIterable<Message>,
  throwIfCutShort: () => void = () => undefined,
): void {
  const grpcCall = new GrpcCall(call);
  const context = new LazyCallContext(bound.name, grpcCall, server, true);
  server.admission?.begin();
  sendResponses(call, bound, answer(context))
    .finally(() => server.admission?.end())
    .then(throwIfCutShort)
    .then(
      () => {
        context.succeed();
        grpcCall.answered = true;
        call.end();
      },
      (error: unknown) => {
        const status = toGrpcStatus(context.fail(error));
        grpcCall.answered = true;
        // This is how grpc-js wants a streaming call to end with an error.
        call.emit("error", status);
      },
    );
}

/** A message of grpc-js, as bytes. */
class GrpcMessage implements IncomingMessage {
  constructor(
    private readonly schema: DescMessage,
    private readonly bytes: Buffer,
  ) {}

  get sizeBytes(): number {
    return this.bytes.length;
  }

  decode(): Message {
    return decodeRequest(this.schema, this.bytes);
  }

  decodeNumbers(): Message {
    return decodeNumbers(this.schema, this.bytes);
  }
}

async function* readRequest({ request }: Writable, { method }: BoundStream) {
  yield new GrpcMessage(method.input, request);
}

async function* readRequests(
  call: Duplex,
  { method }: BoundStream,
  draining: AbortSignal,
): AsyncGenerator<IncomingMessage> {
  const events = listenTo(call, ["readable", "end", "close"], draining);
  try {
    for (;;) {
      // Before what was read ahead: a caller that never pauses must not keep the server from
      // stopping.
      if (draining.aborted && !call.readableEnded) return;
      const bytes: Buffer | null = call.read();
      if (bytes !== null) yield new GrpcMessage(method.input, bytes);
      else if (call.readableEnded) return await throwIfCancelled(call);
      else if (call.destroyed) throw cancelled();
      else await events.next();
    }
  } finally {
    events.stop();
  }
}

/** A caller that goes away looks like one that is done at first: the end comes before the reset. */
async function throwIfCancelled(call: Duplex): Promise<void> {
  await nextTurn();
  if (call.cancelled) throw cancelled();
}

/**
 * Makes the next response only when the one before has found room on its way out. When the caller
 * goes away, the responses are told at once, though the next one may be long in coming.
 */
async function sendResponses(
  call: Duplex | Writable,
  { method }: BoundStream,
  answers: AsyncIterable<Message>,
): Promise<void> {
  const responses = answers[Symbol.asyncIterator]();
  const events = listenTo(call, ["drain", "close"]);
  const giveUp = () => void responses.return?.().catch(() => undefined);
  call.once("close", giveUp);
  try {
    for (;;) {
      const { done, value } = await responses.next();
      if (call.destroyed) throw cancelled();
      if (done === true) return;
      const hasRoom = call.write(encodeMessage(method.output, value));
      if (!hasRoom) await events.next();
      if (call.destroyed) throw cancelled();
    }
  } finally {
    call.off("close", giveUp);
    events.stop();
    // Without effect on responses that have ended.
    giveUp();
  }
}
