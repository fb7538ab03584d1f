import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { expect } from "chai";
import { openTracing } from "../src/app-tracing.js";
import { loadConfig } from "../src/config.js";
import { createLogger } from "../src/telemetry/logger.js";
import { startTestApp, type TestApp } from "./support/app.js";
import { eventually } from "./support/eventually.js";
import { silentLogger } from "./support/postgres.js";
import { type OtlpReceiver, startOtlpReceiver } from "./telemetry/otlp-receiver.js";

const SERVER = 2;

/** What a caller sends that traces, with the ids in it. */
function callerTrace(isSampled = true) {
  const traceId = randomBytes(16).toString("hex");
  const spanId = randomBytes(8).toString("hex");
  return { traceId, spanId, traceparent: `00-${traceId}-${spanId}-0${isSampled ? 1 : 0}` };
}

describe("traces", () => {
  let receiver: OtlpReceiver;
  beforeEach(async () => {
    receiver = await startOtlpReceiver();
  });
  afterEach(() => receiver.stop());

  /** Runs the calls; stopping sends what is left of their spans. */
  async function trace(calls: (app: TestApp) => Promise<void>, env = {}): Promise<void> {
    const app = await startTestApp({
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint,
        OTEL_EXPORTER_OTLP_HEADERS: "x-tenant=t",
        ...env,
      },
    });
    try {
      await calls(app);
    } finally {
      await app.stop();
    }
  }

  const spansOf = (traceId: string) => receiver.spans.filter((span) => span.traceId === traceId);

  it("show a call under its caller's span, and the commit that it waited for", async () => {
    const { traceId, spanId, traceparent } = callerTrace();
    await trace(({ clients }) =>
      clients.recorder
        .recordUsage(
          {
            usage: {
              requestId: "traced-1",
              userId: "private-user",
              provider: "acme",
              model: "big",
              targetModel: "big-2",
              inputTokens: 12n,
              outputTokens: 34n,
              metadata: { note: "private-note" },
            },
          },
          {
            headers: { traceparent, "x-request-id": "id-1", authorization: "Bearer private-token" },
          },
        )
        .then(() => undefined),
    );
    const [call, ...others] = spansOf(traceId).filter(({ kind }) => kind === SERVER);
    expect(others).to.deep.equal([]);
    expect(call).to.include({
      name: "tally.v1.UsageRecorder/RecordUsage",
      parentSpanId: spanId,
      statusCode: 0,
    });
    expect(call!.attributes).to.deep.equal({
      "rpc.system": "grpc",
      "rpc.service": "tally.v1.UsageRecorder",
      "rpc.method": "RecordUsage",
      "rpc.grpc.status_code": 0,
      "tally.request_id": "id-1",
      "gen_ai.operation.name": "chat",
      "gen_ai.provider.name": "acme",
      "gen_ai.request.model": "big",
      "gen_ai.response.model": "big-2",
      "gen_ai.usage.input_tokens": 12,
      "gen_ai.usage.output_tokens": 34,
    });
    const commit = spansOf(traceId).find(({ name }) => name === "commit usage records");
    expect(commit?.linkedSpanIds).to.deep.equal([call!.spanId]);
    expect(commit?.attributes).to.include({ "db.operation.batch.size": 1 });
    expect(receiver.resource()).to.include({ "service.name": "tally" });
    expect(receiver.text()).to.include('"x-tenant":"t"').and.not.include("private-");
  });

  it("tell the code and the reason of calls that fail, on both ports", async () => {
    const [grpc, http] = [callerTrace(), callerTrace()];
    await trace(async ({ clients, httpAddress }) => {
      const headers = { traceparent: grpc.traceparent };
      await clients.recorder.getUsage({ requestId: "none" }, { headers }).catch(() => undefined);
      await fetch(`http://${httpAddress}/tally.v1.UsageRecorder/GetUsage`, {
        method: "POST",
        headers: { "content-type": "application/json", traceparent: http.traceparent },
        body: JSON.stringify({ requestId: "none" }),
      });
    });
    const [byGrpc] = spansOf(grpc.traceId);
    expect(byGrpc?.attributes).to.include({
      "rpc.grpc.status_code": 5,
      "error.type": "USAGE_RECORD_NOT_FOUND",
    });
    // What the caller did wrong is no error of the server's.
    expect(byGrpc?.statusCode).to.equal(0);
    expect(spansOf(http.traceId)[0]?.attributes).to.include({
      "rpc.system": "connect_rpc",
      "rpc.connect_rpc.error_code": "not_found",
    });
  });

  it("link one commit to all the calls of its batch", async () => {
    const callers = Array.from({ length: 5 }, () => callerTrace());
    await trace(async ({ clients }) => {
      await Promise.all(
        callers.map(({ traceparent }, index) =>
          clients.recorder.recordUsage(
            { usage: { requestId: `many-${index}`, userId: "u", model: "m" } },
            { headers: { traceparent } },
          ),
        ),
      );
    });
    const commits = receiver.spans.filter(({ name }) => name === "commit usage records");
    const linked = commits.flatMap(({ linkedSpanIds }) => linkedSpanIds);
    const calls = callers.flatMap(({ traceId }) =>
      spansOf(traceId).filter(({ kind }) => kind === SERVER),
    );
    expect(calls).to.have.length(5);
    expect(linked).to.have.members(calls.map(({ spanId }) => spanId));
    expect(commits.length).to.be.lessThan(5);
  });

  it("heed a caller that does not trace, and the sampler", async () => {
    const unsampled = callerTrace(false);
    await trace(async ({ clients }) => {
      const headers = { traceparent: unsampled.traceparent };
      await clients.checker.checkQuota({ userId: "u" }, { headers });
      await clients.checker.checkQuota({ userId: "u" }, { headers: { traceparent: "nonsense" } });
    });
    expect(spansOf(unsampled.traceId)).to.deep.equal([]);
    // A header that says nothing begins a trace of our own.
    expect(receiver.spans).to.have.length(1);
    expect(receiver.spans[0]?.parentSpanId).to.equal(undefined);
    await trace(
      ({ clients }) => clients.checker.checkQuota({ userId: "u" }).then(() => undefined),
      { OTEL_TRACES_SAMPLER: "traceidratio", OTEL_TRACES_SAMPLER_ARG: "0" },
    );
    expect(receiver.spans).to.have.length(1);
  });

  it("cannot be sent, and the log says so once", async () => {
    const lines: { msg: string }[] = [];
    const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
    receiver.answerWith(400);
    const config = loadConfig({ OTEL_EXPORTER_OTLP_ENDPOINT: receiver.endpoint });
    const tracing = await openTracing(config, createLogger({ destination }));
    const call = { method: "S/M", requestId: "r", header: () => undefined };
    tracing!.observe("grpc").begin(call).end(0, undefined);
    await tracing!.stop();
    await eventually("the line is there", () => lines.length > 0 || undefined);
    expect(lines.map(({ msg }) => msg)).to.deep.equal(["traces cannot be sent"]);
  });
});

describe("without traces", () => {
  it("nothing of OpenTelemetry's SDK is loaded", async () => {
    expect(await openTracing(loadConfig({}), silentLogger)).to.equal(undefined);
    const program = `
      await import("./src/app.js");
      const { createRequire } = await import("node:module");
      const loaded = Object.keys(createRequire(import.meta.url).cache);
      console.log(JSON.stringify(loaded.filter((path) => path.includes("@opentelemetry/"))));`;
    const { stdout, stderr } = spawnSync(
      process.execPath,
      ["--import", "tsx", "--input-type=module", "--eval", program],
      { encoding: "utf8" },
    );
    const packages = new Set(
      (JSON.parse(stdout || `["${stderr}"]`) as string[]).map(
        (path) => /@opentelemetry\/([^/]+)/.exec(path)?.[1],
      ),
    );
    // prom-client brings the API, which does nothing by itself.
    expect([...packages].filter((name) => name !== "api")).to.deep.equal([]);
  });
});
