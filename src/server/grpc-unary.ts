import type { Message } from "@bufbuild/protobuf";
import type { handleUnaryCall } from "@grpc/grpc-js";
import { deadlinePassed } from "../errors.js";
import { encodeMessage } from "../wire.js";
import type { BoundUnary } from "./bind.js";
import { LazyCallContext, type ServerContext } from "./context.js";
import { decodeRequest } from "./decode.js";
import { GrpcCall, toGrpcStatus } from "./grpc-call.js";

/** Serves a unary method of grpc-js whose messages are left as bytes. Never throws. */
export function unaryHandler(
  { method, name, answer }: BoundUnary,
  server: ServerContext,
): handleUnaryCall<Buffer, Buffer> {
  return (call, callback) => {
    const grpcCall = new GrpcCall(call, server.deadlines);
    const context = new LazyCallContext(name, grpcCall, server, false);
    const fail = (error: unknown) => {
      if (grpcCall.answered) return;
      const status = toGrpcStatus(context.fail(error));
      grpcCall.answered = true;
      callback(status);
    };
    const succeed = (response: Message) => {
      if (grpcCall.answered) return;
      const bytes = encodeMessage(method.output, response);
      context.succeed();
      grpcCall.answered = true;
      callback(null, bytes);
    };
    try {
      const response = answer(
        () => context.noteRequest(decodeRequest(method.input, call.request)),
        context,
      );
      if (!(response instanceof Promise)) return succeed(response);
      server.admission?.begin();
      const stopWatch = grpcCall.watchDeadline(() => fail(deadlinePassed()));
      response
        .then(succeed)
        .catch(fail)
        .finally(() => {
          stopWatch();
          server.admission?.end();
        });
    } catch (error) {
      fail(error);
    }
  };
}
