import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { FieldViolation } from "../errors.js";
import type { CallContext } from "./context.js";

/** Answers one request with one response, which may be given as the fields that are set. */
export type UnaryHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => Promise<MessageInitShape<O>> | MessageInitShape<O>;

/**
 * Answers one request with any number of responses. The next one is asked for when the
 * transport has room for it. A handler that waits for something to happen must also wait for
 * `context.signal`, and return then.
 */
export type ServerStreamingHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => AsyncIterable<MessageInitShape<O>>;

/**
 * Answers requests as they come. The next one is read when the handler asks for it, so that a
 * slow handler slows its caller. `requests` ends when the caller is done, and when the server
 * begins to stop.
 */
export type BidiStreamingHandler<I extends DescMessage, O extends DescMessage> = (
  requests: AsyncIterable<MessageShape<I>>,
  context: CallContext,
) => AsyncIterable<MessageInitShape<O>>;

/** The handler that a method takes. The contract has no client-streaming method. */
export type MethodHandler<M extends DescMethod> = M["methodKind"] extends "unary"
  ? UnaryHandler<M["input"], M["output"]>
  : M["methodKind"] extends "server_streaming"
    ? ServerStreamingHandler<M["input"], M["output"]>
    : M["methodKind"] extends "bidi_streaming"
      ? BidiStreamingHandler<M["input"], M["output"]>
      : never;

/** Handlers by the local names of their methods: `checkQuota` for `CheckQuota`. */
export type ServiceHandlers<S extends DescService> = {
  readonly [Name in keyof S["method"]]?: MethodHandler<S["method"][Name]>;
};

/** Rules that the contract's own cannot express: every one that the request breaks. */
export type RequestRule<I extends DescMessage> = (request: MessageShape<I>) => FieldViolation[];

/** Rules by the local names of their methods; they are told with those of the contract. */
export type ServiceRules<S extends DescService> = {
  readonly [Name in keyof S["method"]]?: RequestRule<S["method"][Name]["input"]>;
};

/** A service and its handlers, whatever the transport. */
export interface ServiceImplementation<S extends DescService = DescService> {
  readonly service: S;
  readonly handlers: ServiceHandlers<S>;
  readonly rules: ServiceRules<S>;
}

/** Puts handlers to a service; methods without one answer UNIMPLEMENTED. */
export function implement<S extends DescService>(
  service: S,
  handlers: ServiceHandlers<S>,
  rules: ServiceRules<S> = {},
): ServiceImplementation<S> {
  return { service, handlers, rules };
}
