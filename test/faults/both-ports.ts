import { type Client, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.js";
import { UsageRecorder } from "../../gen/tally/v1/usage_recorder_pb.js";
import { RpcError } from "../../src/client/grpc-client.js";
import { createTallyClients } from "../../src/traffic/clients.js";
import { uniqueId } from "../support/unique-id.js";
import { usage } from "../usage/usage-fixture.js";

/** A call that failed. */
export interface FailedCall {
  /** By `performance.now`. */
  readonly sentMs: number;
  readonly code: number;
  readonly reason: string | undefined;
  readonly hasRetryInfo: boolean;
  readonly message: string;
}

/** Callers that record usage on both ports, as fast as they are answered. */
export interface BothPortsLoad {
  /** Request ids of the records that were acknowledged. */
  readonly acknowledged: readonly string[];
  readonly failed: readonly FailedCall[];
  /** Begins no further calls and waits for those under way. */
  stop(): Promise<void>;
}

type Record = (requestId: string) => Promise<unknown>;

const TIMEOUT_MS = 20_000;

/** Starts so many callers on gRPC, and as many on HTTP/2 and on HTTP/1.1. */
export function loadBothPorts(
  { address, httpAddress }: { readonly address: string; readonly httpAddress: string },
  callers: number,
): BothPortsLoad {
  const grpc = createTallyClients(address, 1);
  const overHttp = (httpVersion: "1.1" | "2"): Client<typeof UsageRecorder> =>
    createClient(
      UsageRecorder,
      createConnectTransport({ baseUrl: `http://${httpAddress}`, httpVersion }),
    );
  const acknowledged: string[] = [];
  const failed: FailedCall[] = [];
  let isStopping = false;
  const settings = { timeoutMs: TIMEOUT_MS };

  async function caller(record: Record): Promise<void> {
    while (!isStopping) {
      const requestId = uniqueId("request");
      const sentMs = performance.now();
      try {
        await record(requestId);
        acknowledged.push(requestId);
      } catch (error) {
        failed.push({ sentMs, ...describeFailure(error) });
        // One that is refused at once would do nothing else but ask again.
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    }
  }

  const recorders = [grpc.recorder, overHttp("2"), overHttp("1.1")];
  const ended = Promise.all(
    recorders.flatMap((recorder) => {
      const record: Record = (requestId) =>
        recorder.recordUsage({ usage: usage({ requestId }) }, settings);
      return Array.from({ length: callers }, () => caller(record));
    }),
  );
  return {
    acknowledged,
    failed,
    async stop() {
      isStopping = true;
      await ended;
      grpc.close();
    },
  };
}

function describeFailure(error: unknown): Omit<FailedCall, "sentMs"> {
  if (error instanceof RpcError) {
    const { code, reason, message, details } = error;
    return { code, reason, message, hasRetryInfo: details.retryInfo !== undefined };
  }
  if (error instanceof ConnectError) {
    return {
      code: error.code,
      reason: error.findDetails(ErrorInfoSchema)[0]?.reason,
      hasRetryInfo: error.findDetails(RetryInfoSchema).length > 0,
      message: error.message,
    };
  }
  throw error;
}
