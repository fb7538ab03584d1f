import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as it was sent. */
export interface ReceivedSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId: string | undefined;
  readonly kind: number;
  /** 2 for an error. */
  readonly statusCode: number;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly linkedSpanIds: readonly string[];
}

/** Takes traces by OTLP over HTTP, as a collector does. */
export interface OtlpReceiver {
  readonly endpoint: string;
  readonly spans: readonly ReceivedSpan[];
  /** Attributes of the resource that sent last. */
  resource(): Readonly<Record<string, unknown>>;
  /** All that was sent, headers included. */
  text(): string;
  /** Answers with this status from now on. */
  answerWith(status: number): void;
  stop(): Promise<void>;
}

/** Starts a receiver on any free port. */
export async function startOtlpReceiver(): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const texts: string[] = [];
  let resource: Readonly<Record<string, unknown>> = {};
  let status = 200;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const text = Buffer.concat(chunks).toString();
    texts.push(JSON.stringify(request.headers), text);
    if (status === 200) {
      for (const sent of JSON.parse(text).resourceSpans) {
        resource = toRecord(sent.resource.attributes);
        // biome-ignore lint/suspicious/noExplicitAny: the form of OTLP's JSON.
        spans.push(...sent.scopeSpans.flatMap((scope: any) => scope.spans.map(toSpan)));
      }
    }
    response.writeHead(status, { "content-type": "application/json" }).end("{}");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    spans,
    resource: () => resource,
    text: () => texts.join("\n"),
    answerWith(next) {
      status = next;
    },
    async stop() {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the form of OTLP's JSON.
function toSpan(span: any): ReceivedSpan {
  return {
    name: span.name,
    traceId: span.traceId,
    spanId: span.spanId,
    parentSpanId: span.parentSpanId || undefined,
    kind: span.kind,
    statusCode: span.status?.code ?? 0,
    attributes: toRecord(span.attributes),
    linkedSpanIds: (span.links ?? []).map(({ spanId }: { spanId: string }) => spanId),
  };
}

// biome-ignore lint/suspicious/noExplicitAny: the form of OTLP's JSON.
function toRecord(attributes: any[]): Record<string, unknown> {
  return Object.fromEntries(
    attributes.map(({ key, value }) => [
      key,
      Number.isFinite(Number(value.intValue)) ? Number(value.intValue) : Object.values(value)[0],
    ]),
  );
}
