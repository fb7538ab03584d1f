import { type ExportResult, ExportResultCode } from "@opentelemetry/core";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-http";
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from "@opentelemetry/sdk-trace-base";
import type { Logger } from "pino";

/** Which calls are traced, by the names that the specification of OpenTelemetry gives. */
export const SAMPLERS = [
  "always_on",
  "always_off",
  "traceidratio",
  "parentbased_always_on",
  "parentbased_always_off",
  "parentbased_traceidratio",
] as const;

/** One of {@link SAMPLERS}. */
export type SamplerName = (typeof SAMPLERS)[number];

/** Makes a sampler. `ratio` is 0 to 1, for those that take a share. */
export function createSampler(name: SamplerName, ratio: number): Sampler {
  const isParentBased = name.startsWith("parentbased_");
  const root = createRootSampler(name.replace("parentbased_", ""), ratio);
  return isParentBased ? new ParentBasedSampler({ root }) : root;
}

function createRootSampler(name: string, ratio: number): Sampler {
  if (name === "traceidratio") return new TraceIdRatioBasedSampler(ratio);
  return name === "always_off" ? new AlwaysOffSampler() : new AlwaysOnSampler();
}

/** Sends spans by OTLP over HTTP, and tells when that begins to fail and when it works again. */
export function createTraceExporter(
  options: { readonly endpoint: string; readonly headers: Readonly<Record<string, string>> },
  logger: Logger,
): SpanExporter {
  const url = `${options.endpoint.replace(/\/+$/, "")}/v1/traces`;
  const exporter = new OTLPTraceExporter({ url, headers: { ...options.headers } });
  let isFailing = false;
  function note({ code, error }: ExportResult): void {
    const hasFailed = code !== ExportResultCode.SUCCESS;
    // Without the error itself, which may repeat what was sent.
    if (hasFailed && !isFailing) logger.warn({ reason: error?.name }, "traces cannot be sent");
    if (!hasFailed && isFailing) logger.info("traces can be sent again");
    isFailing = hasFailed;
  }
  return {
    export(spans: ReadableSpan[], done: (result: ExportResult) => void) {
      exporter.export(spans, (result) => {
        note(result);
        done(result);
      });
    },
    forceFlush: () => exporter.forceFlush(),
    shutdown: () => exporter.shutdown(),
  };
}
