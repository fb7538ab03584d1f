import {
  status as Code,
  type handleBidiStreamingCall,
  type Server,
  type ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
} from "@grpc/grpc-js";
import { DomainError, malformedRequest, requestTooLarge } from "../errors.js";
import { UNKNOWN_METHOD } from "./call-observer.js";
import { LazyCallContext, type ServerContext } from "./context.js";
import { toStatus } from "./errors.js";
import { GrpcCall, STATUS_DETAILS_KEY, toGrpcStatus } from "./grpc-call.js";

type SendStatus = ServerInterceptingCallInterface["sendStatus"];
type PartialStatus = Parameters<SendStatus>[0];

/**
 * grpc-js answers some calls itself: frames that hold no message, broken compression, messages
 * over the limit. It calls what the caller did wrong INTERNAL or UNIMPLEMENTED and gives no
 * details; this gives those answers the form that all our errors have.
 */
export function explainAnswersOfGrpcJs(maxReceiveMessageBytes: number): ServerInterceptor {
  let send: SendStatus | undefined;
  // One function for all calls: a closure for each was measured at a tenth of an empty call.
  function sendExplained(this: ServerInterceptingCallInterface, status: PartialStatus): void {
    send?.call(this, explain(status, maxReceiveMessageBytes));
  }
  return (_method, call) => {
    send ??= call.sendStatus;
    call.sendStatus = sendExplained;
    // Wrapping the call would be the usual way; its own statuses do not pass a wrapper.
    return call as ServerInterceptingCall;
  };
}

function explain(status: PartialStatus, maxReceiveMessageBytes: number): PartialStatus {
  if (status.code === Code.OK || hasDetails(status)) return status;
  switch (status.code) {
    case Code.INTERNAL:
      return detailed(malformedRequest("a header or the compression of the call is broken"));
    case Code.UNIMPLEMENTED:
      return detailed(explainUnimplemented(status.details));
    case Code.RESOURCE_EXHAUSTED:
      return detailed(requestTooLarge(maxReceiveMessageBytes));
    default:
      return status;
  }
}

function hasDetails({ metadata }: PartialStatus): boolean {
  return (metadata?.get(STATUS_DETAILS_KEY).length ?? 0) > 0;
}

/** One word of grpc-js tells an encoding that it does not know from a wrong count of messages. */
function explainUnimplemented(details: string): DomainError {
  return details.includes("encoding")
    ? new DomainError("UNIMPLEMENTED", "the compression of the request is not supported")
    : malformedRequest("the call does not have exactly one complete request message");
}

function detailed(error: DomainError): PartialStatus {
  return toGrpcStatus(toStatus(error, ""));
}

/** What this module needs to know of the inside of grpc-js's server. */
interface HandlerLookup {
  _retrieveHandler?(path: string): object | null;
}

/**
 * Answers methods that nobody serves with UNIMPLEMENTED and details. grpc-js has no public way
 * to do so; should the private one vanish, its own answer remains, which has no details.
 */
export function answerUnknownMethods(server: Server, context: ServerContext): void {
  const lookup = server as unknown as HandlerLookup;
  const retrieve = lookup._retrieveHandler?.bind(server);
  if (retrieve === undefined) return;
  const passThrough = (bytes: Buffer) => bytes;
  lookup._retrieveHandler = (path) =>
    retrieve(path) ?? {
      // The only kind that is answered without waiting for a request.
      type: "bidi",
      path,
      func: refuseMethod(path, context),
      serialize: passThrough,
      deserialize: passThrough,
    };
}

function refuseMethod(
  path: string,
  server: ServerContext,
): handleBidiStreamingCall<Buffer, Buffer> {
  const name = path.replace(/^\//, "");
  return (call) => {
    const context = new LazyCallContext(UNKNOWN_METHOD, new GrpcCall(call), server, false);
    const error = new DomainError("UNIMPLEMENTED", `this server does not serve ${name}`);
    call.emit("error", toGrpcStatus(context.fail(error)));
  };
}
