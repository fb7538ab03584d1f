import type { Message } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import {
  ConnectError,
  createConnectRouter,
  createContextKey,
  type HandlerContext,
} from "@connectrpc/connect";
import type { UniversalHandler } from "@connectrpc/connect/protocol";
import type { Status } from "../../gen/google/rpc/status_pb.js";
import { type DomainError, deadlinePassed, malformedRequest } from "../errors.js";
import type { BoundMethod, BoundStream, BoundUnary } from "./bind.js";
import { LazyCallContext, type ServerContext } from "./context.js";
import { COMPRESSIONS, overdueOrGone, readOnlyMessage } from "./http-body.js";
import type { HttpCall } from "./http-call.js";
import type { HttpFormat } from "./http-format.js";
import { HttpMessage, httpRequests } from "./http-requests.js";
import { jsonRegistry } from "./json-decode.js";

/** One call on its way through Connect. */
export interface HttpExchange {
  readonly call: HttpCall;
  readonly format: HttpFormat;
  /** Whether a header of the call cannot be read. */
  readonly isMalformed: boolean;
}

/** Where the exchange stands in the values that Connect hands to its handlers. */
export const EXCHANGE = createContextKey<HttpExchange | undefined>(undefined);

/** What serves a method, whatever of its protocols it is called by. */
export interface HttpMethod {
  readonly bound: BoundMethod;
  readonly handler: UniversalHandler;
}

/** The limits of calls by HTTP. */
export interface HttpMethodTerms {
  readonly server: ServerContext;
  readonly maxMessageBytes: number;
}

/**
 * The methods by their paths. Connect writes answers and errors in each protocol's form; requests
 * are read by us, since what it says of those that it cannot read has neither details nor the right
 * codes. So each handler is called with an empty message, and takes the real one from the exchange.
 */
export function createHttpMethods(
  methods: readonly BoundMethod[],
  terms: HttpMethodTerms,
): ReadonlyMap<string, HttpMethod> {
  const paths = new Map<string, HttpMethod>();
  for (const bound of methods) {
    const router = createConnectRouter({
      jsonOptions: { registry: jsonRegistry },
      acceptCompression: COMPRESSIONS,
    });
    router.rpc(bound.method, toImplementation(bound, terms) as never);
    const [handler] = router.handlers;
    if (handler !== undefined) paths.set(`/${bound.name}`, { bound, handler });
  }
  return paths;
}

function toImplementation(bound: BoundMethod, terms: HttpMethodTerms) {
  if (bound.kind === "unary") {
    return (_empty: Message, { values }: HandlerContext) =>
      answerUnary(bound, exchangeOf(values), terms);
  }
  return (_empty: unknown, { values }: HandlerContext) =>
    answerStream(bound, exchangeOf(values), terms);
}

function exchangeOf(values: HandlerContext["values"]): HttpExchange {
  const exchange = values.get(EXCHANGE);
  if (exchange === undefined) throw new Error("a call came past the adapter");
  return exchange;
}

/** @throws ConnectError */
async function answerUnary(
  { method, name, answer }: BoundUnary,
  { call, format, isMalformed }: HttpExchange,
  { server, maxMessageBytes }: HttpMethodTerms,
): Promise<Message> {
  const context = new LazyCallContext(name, call, server, false);
  try {
    if (isMalformed) throw malformedTimeout();
    const bytes = await readOnlyMessage(call, { format, maxMessageBytes });
    const message = new HttpMessage(method.input, bytes, format.isJson);
    const response = answer(() => context.noteRequest(message.decode()), context);
    const settled =
      response instanceof Promise ? await counted(server, beforeEnd(response, call)) : response;
    context.succeed();
    call.answered = true;
    return settled;
  } catch (error) {
    const status = context.fail(error);
    call.answered = true;
    throw toConnectError(status);
  }
}

function malformedTimeout(): DomainError {
  return malformedRequest("the header that says how long the caller waits has no time");
}

/** Counts a call while it waits. */
async function counted<T>({ admission }: ServerContext, response: Promise<T>): Promise<T> {
  admission?.begin();
  try {
    return await response;
  } finally {
    admission?.end();
  }
}

/** The response, unless the deadline passes first: then nobody waits for it any more. */
function beforeEnd<T>(response: Promise<T>, call: HttpCall): Promise<T> {
  return new Promise((resolve, reject) => {
    response.then(resolve, reject);
    call.onEnd(() => {
      const isOverdue = call.deadlineMs() <= Date.now();
      reject(isOverdue ? deadlinePassed() : overdueOrGone(call));
    });
  });
}

/**
 * The responses, which fail with a ConnectError. When the caller goes away or the deadline passes,
 * the handler's are told at once, though the next one may be long in coming.
 */
async function* answerStream(
  bound: BoundStream,
  { call, format, isMalformed }: HttpExchange,
  { server, maxMessageBytes }: HttpMethodTerms,
): AsyncGenerator<Message> {
  const context = new LazyCallContext(bound.name, call, server, true);
  const requests = httpRequests(call, bound, {
    format,
    maxMessageBytes,
    draining: server.draining,
  });
  const responses = bound.answer(requests, context)[Symbol.asyncIterator]();
  const giveUp = () => void responses.return?.().catch(() => undefined);
  call.onEnd(giveUp);
  server.admission?.begin();
  try {
    if (isMalformed) throw malformedTimeout();
    for (;;) {
      const { done, value } = await beforeEnd(responses.next(), call);
      if (call.isCancelled()) throw overdueOrGone(call);
      if (done === true) break;
      yield value;
    }
    requests.throwIfCutShort();
    context.succeed();
    call.answered = true;
  } catch (error) {
    const status = context.fail(error);
    call.answered = true;
    throw toConnectError(status);
  } finally {
    // Without effect on responses that have ended.
    giveUp();
    server.admission?.end();
  }
}

/** The error as Connect sends it, with its details. */
function toConnectError({ code, message, details }: Status): ConnectError {
  const error = new ConnectError(message, code);
  for (const detail of details) {
    const value = anyUnpack(detail, jsonRegistry);
    const desc = value && jsonRegistry.getMessage(value.$typeName);
    // With their descriptors, JSON shows them to people, too.
    if (value && desc) error.details.push({ desc, value: value as never });
  }
  return error;
}
