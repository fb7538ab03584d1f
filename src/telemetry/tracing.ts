import {
  type Attributes,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  TraceFlags,
  trace,
} from "@opentelemetry/api";
import { W3CTraceContextPropagator } from "@opentelemetry/core";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type Sampler,
  type SpanExporter,
} from "@opentelemetry/sdk-trace-base";

/** A call, as far as a trace shows it. */
export interface TracedCall {
  /** "tally.v1.QuotaChecker/CheckQuota". */
  readonly method: string;
  readonly requestId: string;
  header(name: string): string | undefined;
}

/** What is told of a request: nothing that names people, and nothing of what they wrote. */
export interface RequestFacts {
  readonly attributes: Attributes;
  /** Ids of the usage records that it writes, by which commits are linked. */
  readonly recordIds: readonly string[];
}

/** Options of {@link createTracing}. */
export interface TracingOptions {
  readonly exporter: SpanExporter;
  readonly sampler: Sampler;
  /** `service.name` and what else says who sends. */
  readonly resource: Attributes;
  /** What a span tells of a decoded request; undefined: nothing. */
  readonly describe: (method: string, request: unknown) => RequestFacts | undefined;
  /** "OK" for 0. */
  readonly codeName: (code: number) => string;
}

/** Makes spans of calls and commits, and sends them in the background. */
export interface Tracing {
  /** Traces the calls of a port, as children of what their callers' `traceparent` names. */
  observe(port: "grpc" | "http"): {
    begin(call: TracedCall): {
      noteRequest(request: unknown): void;
      end(code: number, error: { readonly reason: string } | undefined): void;
    };
  };
  /** Traces a commit of usage records that are linked to the calls which wait for it. */
  commit<T>(recordIds: readonly string[], work: () => Promise<T>): Promise<T>;
  /** Sends what there is, unless that takes too long. Never throws. */
  stop(): Promise<void>;
}

const HEADERS: TextMapGetter<TracedCall> = {
  get: (call, name) => call.header(name),
  keys: () => [],
};

/** Codes that are a server's fault: https://opentelemetry.io/docs/specs/semconv/rpc/grpc/ */
const SERVER_FAULTS = new Set([
  "UNKNOWN",
  "DEADLINE_EXCEEDED",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
]);

/** Links of one span; the specification's own default limit. */
const MAX_LINKS = 128;
const STOP_TIMEOUT_MS = 3_000;

/** Makes traces; nothing is global, so that a process may have several. */
export function createTracing(options: TracingOptions): Tracing {
  const { describe, codeName } = options;
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes(options.resource),
    sampler: options.sampler,
    spanProcessors: [new BatchSpanProcessor(options.exporter)],
  });
  const tracer = provider.getTracer("tally");
  const propagator = new W3CTraceContextPropagator();
  /** Spans of the calls that wait for the commit of a record, by the record's id. */
  const waiting = new Map<string, SpanContext>();

  function startCall(call: TracedCall, port: "grpc" | "http"): Span {
    const [service = "", method = ""] = call.method.split("/");
    const attributes = {
      "rpc.system": port === "grpc" ? "grpc" : "connect_rpc",
      "rpc.service": service,
      "rpc.method": method,
    };
    const parent = propagator.extract(ROOT_CONTEXT, call, HEADERS);
    const span = tracer.startSpan(call.method, { kind: SpanKind.SERVER, attributes }, parent);
    if (span.isRecording()) span.setAttribute("tally.request_id", call.requestId);
    return span;
  }

  function endCall(span: Span, port: "grpc" | "http", code: number, reason: string | undefined) {
    const name = codeName(code);
    if (port === "grpc") span.setAttribute("rpc.grpc.status_code", code);
    else if (code !== 0) span.setAttribute("rpc.connect_rpc.error_code", name.toLowerCase());
    if (reason !== undefined) span.setAttribute("error.type", reason);
    if (SERVER_FAULTS.has(name)) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end();
  }

  return {
    observe: (port) => ({
      begin(call) {
        const span = startCall(call, port);
        let recordIds: readonly string[] = [];
        return {
          noteRequest(request) {
            const facts = span.isRecording() ? describe(call.method, request) : undefined;
            if (facts === undefined) return;
            span.setAttributes(facts.attributes);
            recordIds = facts.recordIds;
            for (const id of recordIds) waiting.set(id, span.spanContext());
          },
          end(code, error) {
            for (const id of recordIds) waiting.delete(id);
            endCall(span, port, code, error?.reason);
          },
        };
      },
    }),
    async commit(recordIds, work) {
      const calls = new Set(recordIds.map((id) => waiting.get(id)));
      const links = [...calls].filter(isSampled).map((context) => ({ context }));
      if (links.length === 0) return work();
      const attributes = {
        "db.system.name": "postgresql",
        "db.operation.batch.size": recordIds.length,
      };
      const span = tracer.startSpan(
        "commit usage records",
        { kind: SpanKind.CLIENT, attributes, links: links.slice(0, MAX_LINKS) },
        // Under the first call, so that it is sampled with it; the others see it by its links.
        trace.setSpanContext(ROOT_CONTEXT, links[0]!.context),
      );
      try {
        return await work();
      } catch (error) {
        span.setStatus({ code: SpanStatusCode.ERROR });
        throw error;
      } finally {
        span.end();
      }
    },
    async stop() {
      let timer: NodeJS.Timeout | undefined;
      const limit = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, STOP_TIMEOUT_MS);
      });
      await Promise.race([provider.shutdown().catch(() => undefined), limit]);
      clearTimeout(timer);
    },
  };
}

function isSampled(context: SpanContext | undefined): context is SpanContext {
  return context !== undefined && (context.traceFlags & TraceFlags.SAMPLED) !== 0;
}
