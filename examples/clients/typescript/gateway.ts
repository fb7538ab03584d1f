/**
 * A gateway of one request, with an upstream that makes 100 tokens at a time:
 *
 *   gateway REQUEST_ID USER_ID INPUT_TOKENS MAX_OUTPUT_TOKENS OUTPUT_TOKENS plain|stream
 *
 * Prints how it ended as one line of JSON. Settings: TALLY_ADDRESS, TALLY_TOKEN, ON_UNAVAILABLE.
 */
import { ConnectError, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { QuotaReason } from "../../../gen/tally/v1/quota_checker_pb.js";
import { RecordOutcome } from "../../../gen/tally/v1/usage_recorder_pb.js";
import {
  createMeter,
  DEFAULTS,
  type MeteredRequest,
  MeterUnavailable,
  QuotaDenied,
} from "./meter.js";

const [requestId = "", userId = "", input = "0", maxOutput = "0", output = "0", mode] =
  process.argv.slice(2);
const { TALLY_ADDRESS = "127.0.0.1:50051", TALLY_TOKEN, ON_UNAVAILABLE } = process.env;

const withToken: Interceptor = (next) => (request) => {
  if (TALLY_TOKEN) request.header.set("authorization", `Bearer ${TALLY_TOKEN}`);
  return next(request);
};
const baseUrl = `http://${TALLY_ADDRESS}`;
const sessionManager = new Http2SessionManager(baseUrl);
const transport = createGrpcTransport({ baseUrl, sessionManager, interceptors: [withToken] });
const onUnavailable = ON_UNAVAILABLE === "allow" ? "allow" : "deny";
const meter = createMeter(transport, { ...DEFAULTS, onUnavailable });

async function serve(): Promise<object> {
  let metered: MeteredRequest;
  try {
    metered = await meter.admit({
      ...{ requestId, userId, provider: "example", model: "example-model" },
      inputTokens: BigInt(input),
      maxOutputTokens: BigInt(maxOutput),
      isStream: mode === "stream",
    });
  } catch (error) {
    if (error instanceof QuotaDenied) {
      return { outcome: "denied", reason: QuotaReason[error.answer.reason] };
    }
    if (error instanceof MeterUnavailable) return { outcome: "unavailable" };
    throw error;
  }
  const tokens = mode === "stream" ? await stream(metered) : BigInt(output);
  try {
    const { record, outcome } = await metered.record(tokens);
    return {
      outcome: tokens < BigInt(output) ? "stopped" : "completed",
      outputTokens: Number(tokens),
      costNanoUsd: String(record?.cost?.totalNanoUsd),
      record: RecordOutcome[outcome],
    };
  } catch (error) {
    if (!(error instanceof ConnectError)) throw error;
    return { outcome: "unrecorded", outputTokens: Number(tokens) };
  }
}

/** How many tokens were let through to the caller. */
async function stream(metered: MeteredRequest): Promise<bigint> {
  await metered.start().catch(() => undefined);
  let sent = 0n;
  while (sent < BigInt(output) && (await metered.progress(sent, 100n))) sent += 100n;
  return sent;
}

process.stdout.write(`${JSON.stringify(await serve())}\n`);
sessionManager.abort();
