import type { HttpRequest, HttpResponse } from "./http-call.js";

/** What the pages for probes and scrapers ask. */
export interface HttpPageTerms {
  /** Why no work should come here now, for people: "the server is stopping"; undefined: it may. */
  notReadyReason(): Promise<string | undefined>;
  /** The metrics in the text format of Prometheus. Undefined: there are none. */
  readonly metrics: (() => string | Promise<string>) | undefined;
}

const METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/**
 * Answers `/healthz` (the process lives), `/readyz` (it should get work) and `/metrics`.
 *
 * @returns whether the path is one of them
 */
export async function answerPage(
  path: string,
  request: HttpRequest,
  response: HttpResponse,
  terms: HttpPageTerms,
): Promise<boolean> {
  const page = PAGES[path];
  if (page === undefined) return false;
  const { status, body, type } = await page(terms);
  sendText(request, response, { status, body, type: type ?? "text/plain; charset=utf-8" });
  return true;
}

interface Page {
  readonly status: number;
  readonly body: string;
  readonly type?: string;
}

const PAGES: Readonly<Record<string, (terms: HttpPageTerms) => Promise<Page>>> = {
  __proto__: null as never,
  async "/healthz"() {
    return { status: 200, body: "ok\n" };
  },
  async "/readyz"({ notReadyReason }) {
    const reason = await notReadyReason();
    return reason === undefined
      ? { status: 200, body: "ready\n" }
      : { status: 503, body: `${reason}\n` };
  },
  async "/metrics"({ metrics }) {
    if (metrics === undefined) return { status: 404, body: "this server keeps no metrics\n" };
    return { status: 200, body: await metrics(), type: METRICS_TYPE };
  },
};

/** Answers with a short text; to HEAD with its headers alone. */
export function sendText(
  { method }: HttpRequest,
  response: HttpResponse,
  { status, body, type }: Required<Page>,
): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
  });
  if (method === "HEAD") response.end();
  else response.end(body);
}
