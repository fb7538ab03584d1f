import { randomUUID } from "node:crypto";
import type { Message } from "@bufbuild/protobuf";
import type { Logger } from "pino";
import { Code } from "../gen/google/rpc/code_pb.js";
import type { CheckQuotaRequest } from "../gen/tally/v1/quota_checker_pb.js";
import type { UsageInput } from "../gen/tally/v1/usage_pb.js";
import type { BatchRecordUsageRequest } from "../gen/tally/v1/usage_recorder_pb.js";
import type { Config } from "./config.js";
import type { RequestFacts, Tracing } from "./telemetry/tracing.js";
import type { UsageStore } from "./usage/usage-store.js";
import { readVersion } from "./version.js";

/**
 * Traces of an app; undefined when no setting asks for them. What makes them is loaded only then.
 */
export async function openTracing(
  { tracing }: Pick<Config, "tracing">,
  logger: Logger,
): Promise<Tracing | undefined> {
  if (tracing === undefined) return undefined;
  const { createTracing } = await import("./telemetry/tracing.js");
  const { createSampler, createTraceExporter } = await import("./telemetry/trace-exporter.js");
  return createTracing({
    exporter: createTraceExporter(tracing, logger),
    sampler: createSampler(tracing.sampler, tracing.samplerRatio),
    resource: {
      "service.version": readVersion(),
      "service.instance.id": randomUUID(),
      ...tracing.resourceAttributes,
      "service.name": tracing.serviceName,
    },
    describe,
    codeName: (code) => Code[code] ?? String(code),
  });
}

/** A store whose commits are traced. */
export function traceCommits(inner: UsageStore, tracing: Tracing | undefined): UsageStore {
  if (tracing === undefined) return inner;
  const idsOf = (writes: Parameters<UsageStore["record"]>[0]) =>
    writes.map(({ record }) => record.requestId);
  return {
    ...inner,
    record: (writes, lane) => tracing.commit(idsOf(writes), () => inner.record(writes, lane)),
    replace: (writes, lane) => tracing.commit(idsOf(writes), () => inner.replace(writes, lane)),
  };
}

/** What spans tell of requests, by https://opentelemetry.io/docs/specs/semconv/gen-ai/ */
function describe(method: string, request: unknown): RequestFacts | undefined {
  switch (method) {
    case "tally.v1.UsageRecorder/RecordUsage":
    case "tally.v1.UsageRecorder/StartUsage":
      return describeUsage((request as Message & { usage?: UsageInput }).usage);
    case "tally.v1.UsageRecorder/BatchRecordUsage": {
      const { requests } = request as BatchRecordUsageRequest;
      const recordIds = requests.flatMap(({ usage }) => usage?.requestId || []);
      return { attributes: { "tally.batch.size": requests.length }, recordIds };
    }
    case "tally.v1.QuotaChecker/CheckQuota": {
      const { model, provider } = request as CheckQuotaRequest;
      return { attributes: modelAttributes(model, provider), recordIds: [] };
    }
    default:
      return undefined;
  }
}

function describeUsage(usage: UsageInput | undefined): RequestFacts | undefined {
  if (usage === undefined) return undefined;
  const { model, provider, targetModel, requestType, inputTokens, outputTokens } = usage;
  return {
    attributes: {
      ...modelAttributes(model, provider),
      ...(targetModel && { "gen_ai.response.model": targetModel }),
      "gen_ai.operation.name": requestType || "chat",
      "gen_ai.usage.input_tokens": Number(inputTokens),
      "gen_ai.usage.output_tokens": Number(outputTokens),
    },
    recordIds: usage.requestId ? [usage.requestId] : [],
  };
}

function modelAttributes(model: string, provider: string) {
  return {
    ...(model && { "gen_ai.request.model": model }),
    ...(provider && { "gen_ai.provider.name": provider }),
  };
}
