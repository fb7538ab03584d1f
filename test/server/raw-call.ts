import { connect, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { StatusSchema } from "../../gen/google/rpc/status_pb.js";
import { RpcError } from "../../src/client/grpc-client.js";

/** Path of the method that most tests call. */
export const CHECK_QUOTA = "/tally.v1.QuotaChecker/CheckQuota";

/** How a server answered a call that no client library made. */
export interface RawAnswer {
  readonly httpStatus: number;
  /** Code of the gRPC status; undefined when the stream ended without one. */
  readonly code: number | undefined;
  readonly message: string;
  readonly error: RpcError | undefined;
  /** Headers and trailers as text, to look for what must not be there. */
  readonly text: string;
}

/** A gRPC frame: flag, length, message. `length` may lie. */
export function frame(message: Uint8Array, { flag = 0, length = message.length } = {}): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt8(flag);
  prefix.writeUInt32BE(length, 1);
  return Buffer.concat([prefix, message]);
}

/** Sends any bytes as the body of a call, on a connection of its own. */
export async function rawCall(
  port: number,
  body: Uint8Array,
  headers: OutgoingHttpHeaders = {},
): Promise<RawAnswer> {
  const session = connect(`http://127.0.0.1:${port}`);
  try {
    return await new Promise((resolve, reject) => {
      session.once("error", reject);
      const stream = session.request({
        ":method": "POST",
        ":path": CHECK_QUOTA,
        "content-type": "application/grpc",
        te: "trailers",
        ...headers,
      });
      const received: IncomingHttpHeaders = {};
      stream.on("response", (answer) => Object.assign(received, answer));
      stream.on("trailers", (trailers) => Object.assign(received, trailers));
      stream.on("error", reject);
      stream.on("close", () => resolve(toAnswer(received)));
      stream.resume();
      stream.end(body);
    });
  } finally {
    session.destroy();
  }
}

function toAnswer(headers: IncomingHttpHeaders): RawAnswer {
  const code = headers["grpc-status"];
  const details = headers["grpc-status-details-bin"];
  return {
    httpStatus: Number(headers[":status"]),
    code: code === undefined ? undefined : Number(code),
    message: decodeURIComponent(String(headers["grpc-message"] ?? "")),
    error:
      typeof details === "string"
        ? new RpcError(fromBinary(StatusSchema, Buffer.from(details, "base64")))
        : undefined,
    text: JSON.stringify(headers) + Buffer.from(String(details ?? ""), "base64").toString("latin1"),
  };
}
