import type { Setting } from "./config-setting.js";
import { anyText, httpUrl, keyValues, oneOf, ratio } from "./config-values.js";

/** Settings of what Tally tells about itself. */
export const TELEMETRY_SETTINGS = {
  logLevel: {
    name: "TALLY_LOG_LEVEL",
    default: "info",
    kind: oneOf("trace", "debug", "info", "warn", "error", "fatal", "silent"),
    doc: "How much is logged, as JSON lines on standard error.",
  },
  accessLog: {
    name: "TALLY_ACCESS_LOG",
    default: "none",
    kind: oneOf("none", "failed", "all"),
    doc:
      "Which calls have a line of their own in the log, with their method, request id, caller, code " +
      "and how long they took. Defects, and what Tally needs and cannot reach, are logged either " +
      "way; the other calls have their line at level `debug`.",
  },
  tracesExporter: {
    name: "OTEL_TRACES_EXPORTER",
    default: undefined,
    kind: oneOf("otlp", "none"),
    doc:
      "Where traces go. `otlp` sends them to `OTEL_EXPORTER_OTLP_ENDPOINT`. Unset: `otlp` when that " +
      "is set, else `none`, which costs nothing. Calls are traced under the `traceparent` of their " +
      "callers, by the conventions of OpenTelemetry for RPC and generative AI.",
  },
  otlpEndpoint: {
    name: "OTEL_EXPORTER_OTLP_ENDPOINT",
    default: undefined,
    kind: httpUrl(),
    doc:
      "Base address of what takes traces by OTLP over HTTP; `/v1/traces` is added. Unset: " +
      "`http://localhost:4318`, if traces are on.",
  },
  otlpHeaders: {
    name: "OTEL_EXPORTER_OTLP_HEADERS",
    default: undefined,
    kind: keyValues(),
    doc: "Headers that are sent with traces, such as `authorization=Bearer%20SECRET`. Never shown.",
  },
  otelServiceName: {
    name: "OTEL_SERVICE_NAME",
    default: "tally",
    kind: anyText(),
    doc: "The name of the service in traces.",
  },
  otelResourceAttributes: {
    name: "OTEL_RESOURCE_ATTRIBUTES",
    default: undefined,
    kind: keyValues(),
    doc: "What else traces tell of this service, such as `deployment.environment.name=production`.",
  },
  tracesSampler: {
    name: "OTEL_TRACES_SAMPLER",
    default: "parentbased_always_on",
    kind: oneOf(
      "always_on",
      "always_off",
      "traceidratio",
      "parentbased_always_on",
      "parentbased_always_off",
      "parentbased_traceidratio",
    ),
    doc: "Which calls are traced. Those that begin with `parentbased` heed the decision of the caller.",
  },
  tracesSamplerArg: {
    name: "OTEL_TRACES_SAMPLER_ARG",
    default: "1",
    kind: ratio(),
    doc: "The share of calls that `traceidratio` traces.",
  },
} as const satisfies Record<string, Setting<unknown>>;
