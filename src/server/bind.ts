import {
  create,
  type DescMessage,
  type DescMethod,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import type { Identity } from "../caller.js";
import { malformedRequest } from "../errors.js";
import { type AccessRule, accessRuleOf } from "./access.js";
import type { CallContext } from "./context.js";
import type { CallGuard } from "./guards.js";
import type {
  BidiStreamingHandler,
  RequestRule,
  ServerStreamingHandler,
  ServiceImplementation,
  UnaryHandler,
} from "./handler.js";
import type { RateLimiter } from "./limits-rate.js";
import { createRequestStream, type IncomingMessage } from "./request-stream.js";
import { answerAfter } from "./response-stream.js";
import { assertValid } from "./validate.js";

/** A method that answers one request with one response, ready for any transport. */
export interface BoundUnary {
  readonly kind: "unary";
  readonly method: DescMethod;
  /** "tally.v1.QuotaChecker/CheckQuota". */
  readonly name: string;
  /**
   * Guards, permission, decoding, validation and handler, in this order. Answers at once when nothing had
   * to be waited for: a promise or two cost a tenth of a call that is answered from memory.
   *
   * @param read - decodes the request; called at most once.
   * @throws what any of them throws, or rejects with it.
   */
  answer(read: () => Message, context: CallContext): Message | Promise<Message>;
}

/** A method that answers with a stream, ready for any transport. */
export interface BoundStream {
  readonly kind: "stream";
  readonly method: DescMethod;
  readonly name: string;
  /**
   * As {@link BoundUnary.answer}; every request of the stream is validated when it is read. A
   * transport calls `return` of the answers' iterator when nobody reads them any more.
   */
  answer(requests: AsyncIterable<IncomingMessage>, context: CallContext): AsyncIterable<Message>;
}

/** A method with its guards, validation and handler. */
export type BoundMethod = BoundUnary | BoundStream;

type AnyUnary = UnaryHandler<DescMessage, DescMessage>;
type AnyServerStreaming = ServerStreamingHandler<DescMessage, DescMessage>;
type AnyBidiStreaming = BidiStreamingHandler<DescMessage, DescMessage>;

/** Every method of the service that has a handler; transports answer UNIMPLEMENTED for others. */
export function bindService(
  { service, handlers, rules }: ServiceImplementation,
  guards: readonly CallGuard[],
  rateLimiter?: RateLimiter,
): BoundMethod[] {
  return service.methods.flatMap((method) => {
    const handler: unknown = handlers[method.localName];
    const rule = rules[method.localName];
    return handler === undefined
      ? []
      : [bindMethod({ method, guards, rule, access: accessRuleOf(method), rateLimiter }, handler)];
  });
}

/** What is bound to a handler. */
interface MethodParts {
  readonly method: DescMethod;
  readonly guards: readonly CallGuard[];
  readonly rule: RequestRule<DescMessage> | undefined;
  readonly access: AccessRule;
  readonly rateLimiter: RateLimiter | undefined;
}

function bindMethod(parts: MethodParts, handler: unknown): BoundMethod {
  const { method } = parts;
  const name = `${method.parent.typeName}/${method.name}`;
  switch (method.methodKind) {
    case "unary":
      return bindUnary(parts, name, handler as AnyUnary);
    case "server_streaming":
      return bindStream(parts, name, fromSingle(handler as AnyServerStreaming));
    case "bidi_streaming":
      return bindStream(parts, name, handler as AnyBidiStreaming);
    case "client_streaming":
      throw new Error(`${name}: client streaming is not supported`);
  }
}

function bindUnary(
  { method, guards, rule, access, rateLimiter }: MethodParts,
  name: string,
  handler: AnyUnary,
): BoundUnary {
  const toResponse = (response: MessageInitShape<DescMessage>) => create(method.output, response);
  function handle(read: () => Message, context: CallContext): Message | Promise<Message> {
    const identity = permit(access, context);
    if (identity !== undefined) rateLimiter?.take(identity);
    const request = read();
    if (identity !== undefined) access.restrict(request, identity);
    assertValid(method.input, request, rule);
    const response = handler(request, context);
    return response instanceof Promise ? response.then(toResponse) : toResponse(response);
  }
  return {
    kind: "unary",
    method,
    name,
    answer(read, context) {
      const admission = admit(guards, context);
      return admission === undefined
        ? handle(read, context)
        : admission.then(() => handle(read, context));
    },
  };
}

/** Runs the guards in order; undefined when none of them had to wait. */
function admit(guards: readonly CallGuard[], context: CallContext): Promise<void> | undefined {
  let admission: Promise<void> | undefined;
  for (const guard of guards) {
    if (admission === undefined) admission = guard(context) ?? undefined;
    else admission = admission.then(() => guard(context));
  }
  return admission;
}

/**
 * Who calls, if they may. Undefined where everybody may.
 */
function permit(access: AccessRule, context: CallContext): Identity | undefined {
  if (access.isPublic) return undefined;
  const identity = context.identify();
  access.assertMayCall(identity);
  return identity;
}

function bindStream(
  { method, guards, rule, access, rateLimiter }: MethodParts,
  name: string,
  handler: AnyBidiStreaming,
): BoundStream {
  return {
    kind: "stream",
    method,
    name,
    answer(requests, context) {
      const stream = createRequestStream(requests, {
        schema: method.input,
        rule,
        permit(request) {
          const identity = permit(access, context);
          if (identity !== undefined) access.restrict(request, identity);
        },
      });
      return answerAfter(
        async () => {
          await admit(guards, context);
          const identity = permit(access, context);
          if (identity !== undefined) rateLimiter?.take(identity);
        },
        () => handler(stream, context),
        (response) => {
          // Whoever was locked out since the last message gets no further one.
          permit(access, context);
          return create(method.output, response);
        },
      );
    },
  };
}

/** A stream of responses to one request; a transport sees to it that there is no second one. */
function fromSingle(handler: AnyServerStreaming): AnyBidiStreaming {
  return (requests, context) =>
    answerAfter(
      async () => {
        for await (const request of requests) return request;
        throw malformedRequest("the call has no request message");
      },
      (request) => handler(request, context),
      (response) => response,
    );
}
