import type {
  DescMessage,
  DescMethod,
  DescService,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import type { DomainError, FieldViolation } from "../errors.js";
import type { CallContext } from "./context.js";

/** Answers one request with one response, which may be given as the fields that are set. */
export type UnaryHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => Promise<MessageInitShape<O>> | MessageInitShape<O>;

/**
 * Answers one request with any number of responses. The next one is asked for when the
 * transport has room for it. A handler that waits for something to happen must also wait for
 * `context.signal`, and throw its reason then: the caller of a stream that would go on learns so
 * that it has to call again. When the caller is gone, `return` of the iterator is called.
 */
export type ServerStreamingHandler<I extends DescMessage, O extends DescMessage> = (
  request: MessageShape<I>,
  context: CallContext,
) => AsyncIterable<MessageInitShape<O>>;

/** One request of a stream, which may be bad. */
export interface StreamedRequest<I extends DescMessage> {
  /** The request; if it could not be decoded, no more of it than its numbers. */
  readonly message: MessageShape<I>;
  /** What the request weighs on the wire, in bytes. */
  readonly sizeBytes: number;
  /** Why it is bad: MALFORMED_REQUEST, or INVALID_FIELD with every violation. */
  readonly error: DomainError | undefined;
}

/** The requests of a stream. Iterated over, it fails at the first bad one. */
export interface RequestStream<I extends DescMessage> extends AsyncIterable<MessageShape<I>> {
  /** All of them, for a handler that answers bad ones and goes on. Instead of iterating. */
  judged(): AsyncIterable<StreamedRequest<I>>;
}

/**
 * Answers requests as they come. The next one is read when the handler asks for it, so that a
 * slow handler slows its caller. `requests` ends when the caller is done, and when the server
 * begins to stop; it fails when the caller is gone.
 */
export type BidiStreamingHandler<I extends DescMessage, O extends DescMessage> = (
  requests: RequestStream<I>,
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
