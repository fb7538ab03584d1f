import { createContextValues } from "@connectrpc/connect";
import type { UniversalServerRequest } from "@connectrpc/connect/protocol";
import { universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { Logger } from "pino";
import { toAscii } from "../ascii.js";
import { HttpCall, type HttpRequest, type HttpResponse } from "./http-call.js";
import { applyCors, type CorsTerms } from "./http-cors.js";
import { formatOf, type HttpFormat, timeoutMsOf } from "./http-format.js";
import { EXCHANGE, type HttpExchange, type HttpMethod } from "./http-methods.js";
import { answerPage, type HttpPageTerms, sendText } from "./http-pages.js";
import { type DeadlineLimits, deadlineWithin } from "./limits.js";

/** What requests are answered from. */
export interface HttpListenerTerms {
  readonly methods: ReadonlyMap<string, HttpMethod>;
  readonly cors: CorsTerms;
  readonly pages: HttpPageTerms;
  readonly logger: Logger;
  /** Aborts when the server begins to stop. */
  readonly draining: AbortSignal;
  readonly deadlines: DeadlineLimits;
  /** Whether the connection of a request has lived long enough. */
  readonly isOld: (request: HttpRequest) => boolean;
}

/** Answers every request of HTTP/1.1 and HTTP/2: methods, pages, and what is neither. Never throws. */
export function createHttpListener(terms: HttpListenerTerms) {
  const { methods, cors, pages, logger, draining } = terms;

  async function answer(request: HttpRequest, response: HttpResponse): Promise<void> {
    // Whoever keeps the connection would send the next call to a server that is going.
    const isEnding = draining.aborted || terms.isOld(request);
    if (isEnding && isHttp1(request)) response.setHeader("connection", "close");
    if (applyCors(request, response, cors) === "answered") return;
    const [path = ""] = (request.url ?? "").split("?", 1);
    const method = methods.get(path);
    if (method !== undefined) return serveMethod(method, request, response, terms.deadlines);
    if (await answerPage(path, request, response, pages)) return;
    refuse(request, response, 404, "unimplemented", unknownPath(path));
  }

  return (request: HttpRequest, response: HttpResponse): void => {
    answer(request, response).catch((error: unknown) => {
      // Answers to clients that are gone end here, too.
      logger.debug({ err: error }, "an answer by HTTP did not arrive");
      response.destroy();
    });
  };
}

function isHttp1({ httpVersionMajor }: HttpRequest): boolean {
  return httpVersionMajor === 1;
}

async function serveMethod(
  method: HttpMethod,
  request: HttpRequest,
  response: HttpResponse,
  deadlines: DeadlineLimits,
): Promise<void> {
  const { bound, handler } = method;
  const { methodKind } = bound.method;
  if (request.method !== "POST") {
    response.setHeader("allow", "POST");
    return refuse(request, response, 405, "unimplemented", "methods are called by POST");
  }
  if (methodKind === "bidi_streaming" && isHttp1(request)) {
    response.setHeader("connection", "close");
    return refuse(request, response, 505, "unimplemented", "this method needs HTTP/2");
  }
  const contentType = request.headers["content-type"] ?? "";
  const format = formatOf(contentType, methodKind === "unary");
  if (format === undefined) {
    const known = methodKind === "unary" ? CONTENT_TYPES.unary : CONTENT_TYPES.stream;
    return refuse(request, response, 415, "invalid_argument", `content-type: must be ${known}`);
  }
  const timeoutMs = timeoutMsOf(request.headers, format.timeout);
  const nowMs = Date.now();
  const givenMs = nowMs + (timeoutMs ?? MALFORMED_TIMEOUT_MS);
  const isUnary = methodKind === "unary";
  const deadlineMs = isUnary ? deadlineWithin(deadlines, givenMs, nowMs) : givenMs;
  const call = new HttpCall(request, response, deadlineMs);
  const isMalformed = timeoutMs === undefined;
  // A response of HTTP/2 says that it has finished only when the request has ended, too.
  const written = "stream" in response ? response.stream : response;
  written.once("finish", () => discardRest(request));
  const answer = await handler(toUniversalRequest(method, { call, format, isMalformed }));
  await universalResponseToNodeResponse(answer, response);
}

/** How long a client may go on to send a request that was answered already. */
const DISCARD_MS = 10_000;

/**
 * What a client goes on to send after its answer would stand in the way of its next request, and
 * some clients read no answer before they have sent everything.
 */
function discardRest(request: HttpRequest): void {
  if (request.readableEnded) return;
  request.resume();
  const cut = setTimeout(() => request.destroy(), DISCARD_MS);
  request.once("close", () => clearTimeout(cut));
}

/** A call whose timeout cannot be read is answered so, and takes no time. */
const MALFORMED_TIMEOUT_MS = 10_000;

const CONTENT_TYPES = {
  unary: "application/json, application/proto, application/grpc-web or application/grpc",
  stream:
    "application/connect+json, application/connect+proto, application/grpc-web or application/grpc",
};

/** What Connect must know of the headers: the form of the answer. The request is read already. */
const ANSWER_HEADERS = [
  "content-type",
  "accept-encoding",
  "connect-accept-encoding",
  "grpc-accept-encoding",
];

const NOTHING = new Uint8Array(0);
const EMPTY_OBJECT = new TextEncoder().encode("{}");

/** What Connect is told of the call: its protocol, and an empty request. */
function toUniversalRequest({ bound }: HttpMethod, exchange: HttpExchange): UniversalServerRequest {
  const { call, format } = exchange;
  const header = new Headers();
  for (const name of ANSWER_HEADERS) {
    const value = call.header(name);
    if (value !== undefined) header.set(name, value);
  }
  const isOver = new AbortController();
  call.onEnd(() => isOver.abort());
  return {
    httpVersion: call.request.httpVersion,
    method: "POST",
    url: `http://tally/${bound.name}`,
    header,
    body: emptyBody(format, bound.method.methodKind === "bidi_streaming"),
    signal: isOver.signal,
    contextValues: createContextValues().set(EXCHANGE, exchange),
  };
}

async function* emptyBody({ isJson, isEnveloped }: HttpFormat, isBidi: boolean) {
  if (isBidi) return;
  const message = isJson ? EMPTY_OBJECT : NOTHING;
  if (!isEnveloped) yield message;
  else yield Uint8Array.of(0, 0, 0, 0, message.length, ...message);
}

/** An error outside of any protocol, in the form that Connect gives to those of unary methods. */
function refuse(
  request: HttpRequest,
  response: HttpResponse,
  status: number,
  code: string,
  message: string,
): void {
  const body = `${JSON.stringify({ code, message })}\n`;
  sendText(request, response, { status, body, type: "application/json" });
}

const MAX_SHOWN_PATH = 200;

function unknownPath(path: string): string {
  return (
    `nothing is served at ${toAscii(path, MAX_SHOWN_PATH)}; methods are called by POST to ` +
    "/tally.v1.SERVICE/METHOD, and there are /healthz, /readyz and /metrics"
  );
}
