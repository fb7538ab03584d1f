import { cors } from "@connectrpc/connect";
import type { HttpRequest, HttpResponse } from "./http-call.js";

/** Which web pages may call. */
export interface CorsTerms {
  /** "https://dash.corp" and such, or "*" for all. None: pages of no other origin may. */
  readonly allowedOrigins: readonly string[];
  /** Whether callers must say who they are. If not, pages that are not allowed are turned away. */
  readonly isIdentityRequired: boolean;
}

/** What became of a request as far as origins go. */
export type CorsOutcome = "go on" | "answered";

const ALLOWED_HEADERS = [...cors.allowedHeaders, "Authorization", "X-Request-Id"].join(", ");
const EXPOSED_HEADERS = [...cors.exposedHeaders].join(", ");
const PREFLIGHT_SECONDS = 7_200;

/**
 * Answers preflights, and lets the pages of allowed origins read answers. Where everybody may do
 * everything, a page of any other origin is refused: browsers bring it to loopback addresses, too.
 */
export function applyCors(
  request: HttpRequest,
  response: HttpResponse,
  terms: CorsTerms,
): CorsOutcome {
  const { origin } = request.headers;
  if (origin === undefined) return "go on";
  const isAllowed = terms.allowedOrigins.includes(origin) || terms.allowedOrigins.includes("*");
  if (isAllowed) {
    response.setHeader("access-control-allow-origin", origin);
    response.setHeader("access-control-expose-headers", EXPOSED_HEADERS);
  }
  response.setHeader("vary", "Origin");
  if (isPreflight(request)) {
    if (isAllowed) allowMethods(response);
    response.writeHead(isAllowed ? 204 : 403).end();
    return "answered";
  }
  if (isAllowed || terms.isIdentityRequired || isOwnLoopback(request, origin)) return "go on";
  response.writeHead(403, { "content-type": "text/plain; charset=utf-8" });
  response.end("pages of this origin may not call; see TALLY_HTTP_ALLOWED_ORIGINS\n");
  return "answered";
}

function isPreflight({ method, headers }: HttpRequest): boolean {
  return method === "OPTIONS" && headers["access-control-request-method"] !== undefined;
}

function allowMethods(response: HttpResponse): void {
  response.setHeader("access-control-allow-methods", "POST, GET");
  response.setHeader("access-control-allow-headers", ALLOWED_HEADERS);
  response.setHeader("access-control-max-age", PREFLIGHT_SECONDS);
}

const LOOPBACK_ORIGIN = /^https?:\/\/(localhost|127(?:\.\d{1,3}){3}|\[::1\])(:\d+)?$/;

/**
 * Whether the page came from this very port. Its name must be a loopback one: any other can be made
 * to point here by whoever owns it.
 */
function isOwnLoopback(request: HttpRequest, origin: string): boolean {
  const host = request.headers[":authority"] ?? request.headers.host;
  return LOOPBACK_ORIGIN.test(origin) && origin.replace(/^https?:\/\//, "") === host;
}
