import type { IncomingHttpHeaders } from "node:http";

/** How the messages of a call travel, by its content type. */
export interface HttpFormat {
  readonly isJson: boolean;
  /** Whether each message has a prefix with its length; if not, the body is the message. */
  readonly isEnveloped: boolean;
  /** Header that names the compression of the request. */
  readonly encodingHeader: string;
  readonly timeout: "connect" | "grpc";
}

const JSON_OR_PROTO = "(?:(json)(?:; ?charset=utf-?8)?|proto)";
const UNARY = new RegExp(`^application/${JSON_OR_PROTO}$`, "i");
const STREAM = new RegExp(`^application/connect\\+${JSON_OR_PROTO}$`, "i");
const GRPC = new RegExp(`^application/grpc(?:-web)?(?:\\+${JSON_OR_PROTO})?$`, "i");

/**
 * The format that a content type stands for: Connect's own, which differ for unary and streaming
 * methods, gRPC-Web and gRPC. Undefined: none that the method is called with.
 */
export function formatOf(contentType: string, isUnary: boolean): HttpFormat | undefined {
  const connect = (isUnary ? UNARY : STREAM).exec(contentType);
  if (connect !== null) {
    const encodingHeader = isUnary ? "content-encoding" : "connect-content-encoding";
    const isJson = connect[1] !== undefined;
    return { isJson, isEnveloped: !isUnary, encodingHeader, timeout: "connect" };
  }
  const grpc = GRPC.exec(contentType);
  if (grpc === null) return undefined;
  const isJson = grpc[1] !== undefined;
  return { isJson, isEnveloped: true, encodingHeader: "grpc-encoding", timeout: "grpc" };
}

const GRPC_UNITS_MS: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1_000,
  m: 1,
  u: 0.001,
  n: 0.000001,
};

/**
 * How long the caller waits, in milliseconds; Infinity when it does not say. Undefined when what it
 * says is no time.
 */
export function timeoutMsOf(
  headers: IncomingHttpHeaders,
  protocol: HttpFormat["timeout"],
): number | undefined {
  const text = headers[protocol === "grpc" ? "grpc-timeout" : "connect-timeout-ms"];
  if (text === undefined) return Number.POSITIVE_INFINITY;
  if (protocol === "connect") return /^\d{1,10}$/.test(String(text)) ? Number(text) : undefined;
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(String(text)) ?? [];
  return digits === undefined ? undefined : Number(digits) * (GRPC_UNITS_MS[unit] ?? Number.NaN);
}
